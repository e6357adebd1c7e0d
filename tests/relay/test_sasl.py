"""The mechanisms' dialogues, response by response."""

from base64 import b64encode

import pytest

from relay.credentials import Bearer, Credentials, Password
from relay.envelope import Refusal
from relay.sasl import PASSWORDS, TOKENS


async def run(mechanism: bytes, initial: bytes, *responses: bytes) -> Credentials:
    waiting = list(responses)

    async def ask(challenge: bytes) -> bytes:
        return waiting.pop(0)

    return await {**PASSWORDS, **TOKENS}[mechanism].read(initial, ask)


@pytest.mark.parametrize(
    ("mechanism", "responses"),
    [
        (b"PLAIN", [b64encode(b"\0ana\0secret")]),
        (b"PLAIN", [b64encode(b"ana\0ana\0secret")]),
        (b"PLAIN", [b"", b64encode(b"\0ana\0secret")]),
        (b"LOGIN", [b64encode(b"ana"), b64encode(b"secret")]),
        (b"LOGIN", [b"", b64encode(b"ana"), b64encode(b"secret")]),
    ],
)
async def test_credentials_are_read(mechanism: bytes, responses: list[bytes]) -> None:
    assert await run(mechanism, *responses) == Password(b"ana", b"secret")


@pytest.mark.parametrize(
    ("mechanism", "responses", "reply"),
    [
        (b"PLAIN", [b"*"], b"501 5.7.0"),
        (b"PLAIN", [b"="], b"501 5.5.2"),
        (b"PLAIN", [b"%%%"], b"501 5.5.2"),
        (b"PLAIN", [b64encode(b"ana\0secret")], b"501 5.5.2"),
        (b"PLAIN", [b64encode(b"a\0b\0c\0d")], b"501 5.5.2"),
        (b"PLAIN", [b64encode(b"bob\0ana\0secret")], b"535 5.7.8"),
        (b"LOGIN", [b"", b"*"], b"501 5.7.0"),
        (b"LOGIN", [b64encode(b"ana"), b"\xff"], b"501 5.5.2"),
    ],
)
async def test_bad_responses(mechanism: bytes, responses: list[bytes], reply: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        await run(mechanism, *responses)
    assert refusal.value.reply.wire().startswith(reply)


def test_credentials_do_not_print() -> None:
    assert "secret" not in repr(Password(b"ana", b"secret"))


@pytest.mark.parametrize(
    ("mechanism", "said", "login"),
    [
        (b"XOAUTH2", b"user=ana@x.org\1auth=Bearer to.ken~+/=\1\1", b"ana@x.org"),
        (b"XOAUTH2", b"USER=ana@x.org\1AUTH=bearer to.ken~+/=\1\1", b"ana@x.org"),
        (b"OAUTHBEARER", b"n,a=ana@x.org,\1auth=Bearer to.ken~+/=\1\1", b"ana@x.org"),
        (
            b"OAUTHBEARER",
            b"y,a=a=2Cb=3Dc,\1host=x.org\1port=587\1auth=Bearer to.ken~+/=\1\1",
            b"a,b=c",
        ),
    ],
)
async def test_tokens_are_read(mechanism: bytes, said: bytes, login: bytes) -> None:
    expected = Bearer(login, b"to.ken~+/=")
    assert await run(mechanism, b64encode(said)) == expected
    assert await run(mechanism, b"", b64encode(said)) == expected


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [
        (b"XOAUTH2", b""),
        (b"XOAUTH2", b"user=\1auth=Bearer x\1\1"),
        (b"XOAUTH2", b"user=ana\1auth=Bearer \1\1"),
        (b"XOAUTH2", b"user=ana\1auth=Bearer a b\1\1"),
        (b"XOAUTH2", b"user=ana\1auth=Bearer x\r\n\1\1"),
        (b"XOAUTH2", b"user=ana\1auth=Bearer x\1"),
        (b"XOAUTH2", b"user=ana\1auth=Basic x\1\1"),
        (b"OAUTHBEARER", b""),
        (b"OAUTHBEARER", b"n,,\1auth=Bearer x\1\1"),
        (b"OAUTHBEARER", b"n,a=,\1auth=Bearer x\1\1"),
        (b"OAUTHBEARER", b"p=tls-unique,a=ana,\1auth=Bearer x\1\1"),
        (b"OAUTHBEARER", b"n,a=a=2D,\1auth=Bearer x\1\1"),
        (b"OAUTHBEARER", b"n,a=ana,\1auth=Bearer x"),
        (b"OAUTHBEARER", b"n,a=ana,\1host=x\1\1"),
    ],
)
async def test_bad_tokens(mechanism: bytes, said: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        await run(mechanism, b64encode(said) or b"=")
    assert refusal.value.reply.wire().startswith(b"501 5.5.2")
