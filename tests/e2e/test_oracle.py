"""The second reading sees what it must: each damage here is one that a rewriter could do."""

import pytest
from e2e.house import BASE
from e2e.letters import NEWSLETTER
from e2e.oracle import compare, normalise

RECEIVED = b"Received: from x\r\n\tby relay; now\r\n"
FIRST, SECOND = f"{BASE}/c/first".encode(), f"{BASE}/c/second".encode()
PIXEL = (
    f'<img src="{BASE}/o/p" width="1" height="1" alt="" style="display:block;border:0">'.encode()
)
REWRITTEN = (
    NEWSLETTER.replace(b"https://example.org/one?a=1&amp;b=2", FIRST)
    .replace(b"https://example.org/two%7E", SECOND)
    .replace(b"</body>", PIXEL + b"</body>")
)


def test_a_right_copy() -> None:
    found = compare(NEWSLETTER, RECEIVED + REWRITTEN, BASE)
    assert found.targets == {
        FIRST.decode(): "https://example.org/one?a=1&b=2",
        SECOND.decode(): "https://example.org/two%7E",
    }
    assert found.pixels == [f"{BASE}/o/p"]


def test_an_untouched_copy() -> None:
    assert compare(NEWSLETTER, RECEIVED + NEWSLETTER, BASE).targets == {}


DAMAGES = {
    "no trace header": lambda copy: copy.removeprefix(RECEIVED),
    "a header": lambda copy: copy.replace(b"A letter", b"A Letter"),
    "a word": lambda copy: copy.replace(b">one<", b">One<"),
    "a byte over 127": lambda copy: copy.replace(b"\xc3\xbc", b"\xfc"),
    "a quote": lambda copy: copy.replace(b"'" + SECOND + b"'", b'"' + SECOND + b'"'),
    "a second pixel": lambda copy: copy.replace(PIXEL, PIXEL + PIXEL),
    "a lost line end": lambda copy: copy[:-2],
    "a lost tag": lambda copy: copy.replace(b"<p>", b""),
    "a dot": lambda copy: copy.replace(b"\r\n..\r\n", b"\r\n...\r\n"),
    "an image": lambda copy: copy.replace(b"</p>", b'</p><img src="https://other.example/x">'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen(damage: str) -> None:
    damaged = DAMAGES[damage](RECEIVED + REWRITTEN)
    assert damaged != RECEIVED + REWRITTEN
    with pytest.raises(AssertionError):
        compare(NEWSLETTER, damaged, BASE)


def test_every_wrapped_link_is_told_also_a_wrong_one() -> None:
    wrong = REWRITTEN.replace(b"mailto:ana@example.com", f"{BASE}/c/x".encode())
    found = compare(NEWSLETTER, RECEIVED + wrong, BASE)
    assert found.targets[f"{BASE}/c/x"] == "mailto:ana@example.com"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("  http://e.com/sp \n", "http://e.com/sp"),
        ("http://e.com/a\r\n b", "http://e.com/a%20b"),
        ("http://bücher.example/é?ü=%41", "http://xn--bcher-kva.example/%C3%A9?%C3%BC=%41"),
    ],
)
def test_where_a_browser_goes(written: str, meant: str) -> None:
    assert normalise(written) == meant
