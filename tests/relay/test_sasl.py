"""The mechanisms' dialogues, response by response."""

from base64 import b64encode

import pytest

from relay.credentials import Credentials, Password
from relay.envelope import Refusal
from relay.sasl import PASSWORDS


async def run(mechanism: bytes, initial: bytes, *responses: bytes) -> Credentials:
    waiting = list(responses)

    async def ask(challenge: bytes) -> bytes:
        return waiting.pop(0)

    return await PASSWORDS[mechanism].read(initial, ask)


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
