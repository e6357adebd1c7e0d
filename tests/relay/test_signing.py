"""DKIM signatures, as dkimpy verifies them."""

import re
import threading
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dkimkeys import key, verdicts
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from relay.canonical import body_hash, relaxed_field
from relay.content import Bulk, Content
from relay.signing import SIGNED, Signing
from relay.signing_key import SigningKey

HEAD = (
    b"Received: from x by y; Fri, 1 Jan 2026 00:00:00 +0000\r\n"
    b"From: Ana <ana@example.com>\r\nTo: bob@example.org,\r\n\teve@example.org\r\n"
    b"Subject: an  offer\r\nDate: Fri, 1 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"List-Unsubscribe: <https://example.com/u>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
)
BODY = b"<p>Dear Bob,  \r\n\r\n\tan offer</p>\r\n\r\n"
MAIL = Content(HEAD, BODY)
KINDS = pytest.mark.parametrize("rsa", [True, False], ids=["rsa", "ed25519"])


async def signed(content: Content, *keys: SigningKey, came: Content | None = None) -> Content:
    signing = Signing(keys, now=lambda: 1_764_000_000)
    found = signing.keys_for(content.head)
    return await signing.sign(content, found, came=came or content, message_id=1)


def failures() -> float:
    return (
        REGISTRY.get_sample_value("letterbell_dkim_signatures_total", {"result": "failed"}) or 0.0
    )


@KINDS
async def test_another_verifier_takes_it(rsa: bool) -> None:
    made = await signed(MAIL, key(rsa=rsa))
    assert made.read().endswith(MAIL.read())
    assert verdicts(made.read(), key(rsa=rsa)) == [True]


@KINDS
async def test_a_body_that_is_on_the_disk(rsa: bool, tmp_path: Path) -> None:
    bulk = Bulk(tmp_path)
    for _ in range(30):
        bulk.append(b"a line  with\t blanks \r\n" * 997)
    bulk.append(b"\r\n" * 300_000)
    made = await signed(Content(HEAD, bulk), key(rsa=rsa))
    assert verdicts(made.read(), key(rsa=rsa)) == [True]


@given(
    st.lists(st.text(st.sampled_from(" \tab."), max_size=9), max_size=9),
    st.lists(st.sampled_from(SIGNED), max_size=9),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=99),
)
async def test_any_mail(lines: list[str], names: list[bytes], value: str) -> None:
    """Also with fields that stand there several times."""
    fields = b"".join(
        b"%b: %d %b\r\n" % (name, number, value.encode())
        for number, name in enumerate(names)
        if name != b"from"
    )
    body = "".join(line + "\r\n" for line in lines).encode()
    made = await signed(Content(fields + HEAD, body), key())
    assert verdicts(made.read(), key()) == [True]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"From: Ana", b"From: mallory@example.com\r\nFrom: Ana"),
        (b"an  offer", b"another offer"),
        (b"an offer</p>", b"an offer.</p>"),
        (b"</p>\r\n\r\n", b"</p>\r\n\r\n<p>more</p>\r\n"),
        (b"/u>", b"/v>"),
        (b"One-Click", b"Two-Clicks"),
    ],
)
async def test_what_is_changed_later_shows(was: bytes, becomes: bytes) -> None:
    made = (await signed(MAIL, key())).read()
    assert verdicts(made.replace(was, becomes), key()) == [False]


async def test_what_servers_may_change_does_not_show() -> None:
    made = (await signed(MAIL, key())).read()
    moved = made.replace(b"an  offer", b"an\r\n\toffer").replace(b"To:", b"TO:  ")
    assert verdicts(b"Received: by z; now\r\n" + moved + b"\r\n", key()) == [True]


async def test_a_key_of_each_kind_signs() -> None:
    keys = key(rsa=True), key(selector="other")
    made = await signed(MAIL, *keys)
    assert verdicts(made.read(), *keys) == [True, True]


@KINDS
async def test_its_lines_are_short(rsa: bool) -> None:
    made = await signed(MAIL, key(rsa=rsa))
    signature = made.head.removesuffix(MAIL.head)
    assert max(map(len, signature.split(b"\r\n"))) <= 78
    assert b"l=" not in re.sub(rb"\sb=.*", b"", signature, flags=re.DOTALL).replace(b"bh=", b"")


def test_the_signature_of_rfc_8463() -> None:
    """Appendix A: a signature of Ed25519 is the same each time."""
    seed = b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    of_rfc = SigningKey("football.example.com", "brisbane", private)
    assert of_rfc.name == "brisbane._domainkey.football.example.com"
    assert of_rfc.record == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    body = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    hashed = b64encode(body_hash([body]))
    assert hashed == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
    fields = (
        b"From: Joe SixPack <joe@football.example.com>\r\n",
        b"To: Suzie Q <suzie@shopping.example.net>\r\n",
        b"Subject: Is dinner ready?\r\n",
        b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n",
        b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n",
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        b" subject : date : message-id : from : subject : date;\r\n"
        b" bh=" + hashed + b";\r\n b=",
    )
    octets = b"".join(map(relaxed_field, fields)).removesuffix(b"\r\n")
    assert b64encode(of_rfc.sign(octets, sha256(octets).digest())) == (
        b"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    )


@pytest.mark.parametrize(
    ("author", "domains"),
    [
        (b"ana@example.com", ["example.com"]),
        (b"Ana <ana@EXAMPLE.com>", ["example.com"]),
        (b"ana@mail.example.com", []),
        (b"ana@notexample.com", []),
        (b"ana@example.org", ["example.org"]),
        (b"ana@a.b.example.org", ["example.org"]),
        (b"ana@news.example.org", ["news.example.org"]),
        ("ana@bücher.example".encode(), ["xn--bcher-kva.example"]),
        (b"ana@xn--bcher-kva.example", ["xn--bcher-kva.example"]),
        (b"ana@\xff.example", []),
        (b"x@elsewhere.example, ana@example.com", ["example.com"]),
        (b"Ana", []),
        (b"a@example.com <b@example.net>", ["example.com"]),
    ],
)
def test_whose_mail_is_signed(author: bytes, domains: list[str]) -> None:
    signing = Signing(
        [
            key("example.com"),
            key("example.org", subdomains=True),
            key("news.example.org"),
            key("xn--bcher-kva.example"),
        ]
    )
    found = signing.keys_for(b"From: " + author + b"\r\n\r\n")
    assert [each.domain for each in found] == domains


async def test_other_mail_leaves_as_it_came() -> None:
    for keys in ([], [key("example.org")]):
        assert await signed(MAIL, *keys) is MAIL


async def test_keys_change() -> None:
    signing = Signing()
    assert signing.keys_for(HEAD) == ()
    signing.change([key()])
    assert signing.keys_for(HEAD) == (key(),)


OWN = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; h=From:\r\n\tTo; bh=x; b=h=cc\r\n"
LISTS = b"DKIM-Signature: v=1; a=rsa-sha256; d=list.example; bh=x; h = to : cc; b=x\r\n"


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda head, body: (head, body), [OWN, LISTS]),
        (lambda head, body: (head.replace(b"1.0", b"1.1"), body), [OWN, LISTS]),
        (lambda head, body: (head.replace(b"bob@example.org,\r\n\t", b""), body), []),
        (lambda head, body: (head.replace(b"Ana", b"Eve"), body), [LISTS]),
        (lambda head, body: (head, body + b"<p>more</p>\r\n"), []),
    ],
    ids=["nothing", "an unsigned field", "To", "From", "the body"],
)
async def test_signatures_that_a_change_breaks_go(change: object, kept: list[bytes]) -> None:
    came = Content(OWN + LISTS + HEAD, BODY)
    changed = Content(*change(came.head, came.body))  # type: ignore[operator]
    made = await signed(changed, key(), came=came)
    assert [each for each in (OWN, LISTS) if each in made.head] == kept
    assert verdicts(made.read(), key())[0]
    assert await signed(changed, came=came) is changed  # who does not sign takes nothing out


async def test_a_fault_costs_the_signature_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(SigningKey, "sign", break_down)
    before = failures()
    with capture_logs() as logs:
        made = await signed(MAIL, key())
    assert made == MAIL
    assert failures() == before + 1
    [told] = [each for each in logs if each["log_level"] == "error"]
    assert (told["event"], told["domain"]) == ("signing failed", "example.com")


@pytest.mark.parametrize(
    ("rsa", "size", "inline"), [(False, 10, True), (True, 10, False), (False, 70_000, False)]
)
async def test_what_takes_long_happens_off_the_loop(
    monkeypatch: pytest.MonkeyPatch, rsa: bool, size: int, inline: bool
) -> None:
    threads = []

    def note(*_: object) -> bytes:
        threads.append(threading.get_ident())
        return b"signature"

    monkeypatch.setattr(SigningKey, "sign", note)
    await signed(Content(HEAD, b"x" * size), key(rsa=rsa))
    assert [each == threading.get_ident() for each in threads] == [inline]
