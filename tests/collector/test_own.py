"""Ours is what was minted here, as a whole: each such address leads home, and nothing else does."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.own import OwnLinks
from collector.tokens import Key, MessageLinks, Tokens

TOKENS = Tokens([Key(7, b"k" * 32)])
PUBLIC_URL = "https://t.example.com"
OWN = OwnLinks(TOKENS, PUBLIC_URL)
LINKS = MessageLinks(TOKENS, PUBLIC_URL, 42)
TARGET = b"HTTPS://Example.org/%7E?a=b&amp;c#d"
CLICK, PIXEL = LINKS.click(TARGET, 3), LINKS.pixel()

bases = st.sampled_from(
    [
        PUBLIC_URL,
        f"{PUBLIC_URL}/",
        "http://T.Example.com",
        "https://t.example.com/a(b)/.c",
        "https://t.example.com:443",
        "http://t.example.com:8080/x",
        "http://[::1]:8025",
        "http://127.0.0.1",
        "https://xn--bcher-kva.example",
    ]
)
targets = st.binary(max_size=300).map(
    lambda raw: b"https://" + bytes(0x21 + byte % 0x5E for byte in b"e" + raw)
)


@given(bases, st.integers(0, 2**63 - 1), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), targets)
def test_whatever_is_minted_leads_home(
    base: str, message_id: int, recipient: int, ordinal: int, target: bytes
) -> None:
    own, links = OwnLinks(TOKENS, base), MessageLinks(TOKENS, base, message_id, recipient)
    click, pixel = links.click(target, ordinal), links.pixel()
    assert (own.target(click), own.is_pixel(click)) == (target, False)
    assert (own.target(pixel), own.is_pixel(pixel)) == (None, True)
    notice = links.notice()
    assert [own.is_notice(each) for each in (click, pixel, notice)] == [False, False, True]
    assert (own.target(notice), own.is_pixel(notice)) == (None, False)


@given(st.text() | st.text().map(lambda tail: f"{PUBLIC_URL}/c/{tail}"))
@example("")
@example("https://[")
@example("\ud800")
@example(f"{PUBLIC_URL}/c/{'A' * 20_000}")
@example(f"{PUBLIC_URL}/c/=")
def test_no_other_text_is_ours_and_none_raises(text: str) -> None:
    assert OWN.target(text) is None
    assert not OWN.is_pixel(text)
    assert not OWN.is_notice(text)


@pytest.mark.parametrize(
    "origin",
    [
        "http://t.example.com",
        "HTTPS://T.EXAMPLE.COM",
        "https://t.example.com:443",
        "http://t.example.com:80",
    ],
)
def test_the_same_place_written_otherwise_is_ours(origin: str) -> None:
    assert OWN.target(CLICK.replace(PUBLIC_URL, origin)) == TARGET
    assert OWN.is_pixel(PIXEL.replace(PUBLIC_URL, origin))


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "//t.example.com",
        "ftp://t.example.com",
        "https://t.example.com.evil.example",
        "https://evil.example/https://t.example.com",
        "https://t-example.com",
        "https://me@t.example.com",
        "https://t.example.com:8443",
        "https://t.example.com:80",
        "https://t.example.com/x",
        "https://t.example.com/",
        "http\u017f://t.example.com",
    ],
)
def test_another_place_is_not_ours(origin: str) -> None:
    assert OWN.target(CLICK.replace(PUBLIC_URL, origin)) is None
    assert not OWN.is_pixel(PIXEL.replace(PUBLIC_URL, origin))


@pytest.mark.parametrize("tail", ["?", "?a=b", "#", "#top", "/", "/x", " ", "\n", "=", "%20", "."])
def test_with_anything_attached_it_is_not_plainly_ours(tail: str) -> None:
    assert OWN.target(CLICK + tail) is None
    assert not OWN.is_pixel(PIXEL + tail)


@pytest.mark.parametrize("before", [" ", "\n", "x"])
def test_nor_with_anything_before(before: str) -> None:
    assert OWN.target(before + CLICK) is None
    assert not OWN.is_pixel(before + PIXEL)


def test_the_path_keeps_its_case() -> None:
    assert OWN.target(CLICK.replace("/c/", "/C/")) is None
    assert OwnLinks(TOKENS, f"{PUBLIC_URL}/A").target(CLICK.replace("/c/", "/a/c/")) is None


def test_one_kinds_token_under_the_others_path_is_none() -> None:
    assert OWN.target(PIXEL.replace("/o/", "/c/")) is None
    assert not OWN.is_pixel(CLICK.replace("/c/", "/o/"))


def test_a_port_of_its_own_is_part_of_the_place() -> None:
    own = OwnLinks(TOKENS, "https://t.example.com:8443")
    assert own.target(CLICK.replace(".com", ".com:8443")) == TARGET
    assert own.target(CLICK.replace("https", "http").replace(".com", ".com:8443")) == TARGET
    assert own.target(CLICK) is None


def test_foreign_and_forged_tokens_are_not_ours_and_old_keys_are() -> None:
    other = Tokens([Key(7, b"x" * 32)])
    assert OwnLinks(other, PUBLIC_URL).target(CLICK) is None
    assert not OwnLinks(other, PUBLIC_URL).is_pixel(PIXEL)
    forged = CLICK[:-1] + ("A" if CLICK[-1] != "A" else "B")
    assert OWN.target(forged) is None
    newer = Tokens([Key(8, b"n" * 32), Key(7, b"k" * 32)])
    assert OwnLinks(newer, PUBLIC_URL).target(CLICK) == TARGET


@pytest.mark.parametrize("url", ["", "t.example.com", "ftp://t.example.com", "https://", "https:x"])
def test_a_public_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="public URL"):
        OwnLinks(TOKENS, url)
