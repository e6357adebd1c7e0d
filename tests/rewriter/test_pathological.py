"""Pathological input: what becomes of each kind, at sizes where quadratic time would never end.

Nothing is measured here (bench/rewrite.py tells the times at n, 2n and 4n): linear time takes well
under two seconds for any of these, quadratic time hours for most, and the alarm calls it off.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from mails import BOTH, Mint, rules_of
from pathological import KINDS

from rewriter import Rewritten, Untouched, rewrite

PATIENCE = 300  # seconds; only a hang takes them
ANY_SIZE = replace(BOTH, max_html=1_000_000_000)

# Kind, how many times its size, links that are wrapped, rules that are told; all with a pixel.
REWRITTEN: list[tuple[str, int, int, set[str]]] = [
    ("<", 4, 0, set()),
    ("&amp; in one href", 4, 1, {"too long"}),
    ("<!--[if mso]> closed", 4, 12_000, set()),
    ("parts", 1, 10_000, set()),
    ("5 MB quoted-printable", 1, 1, set()),
    ("70,000 links in 5 MB", 1, 65_536, {"too many links"}),
    ("links on one line", 2, 20_000, set()),
    ("links on one line, quoted-printable", 2, 20_000, set()),
    ("white space", 4, 1, set()),
    ("<p a='", 10, 0, set()),
    ("ESC $ B", 4, 1, set()),
    ("%a in one href", 10, 1, {"placeholder"}),
    ("long header", 4, 1, set()),
    ("parameters", 10, 1, set()),
    ("< in List-Unsubscribe", 10, 1, set()),
]
# Kind, how many times its size, why the message goes out as it came, rules that are told.
UNTOUCHED: list[tuple[str, int, str, set[str]]] = [
    ("<a", 10, "nothing to track", set()),
    ("<!--", 10, "nothing to track", set()),
    ("<a href= unclosed", 10, "nothing to track", set()),
    ("attributes", 4, "nothing to track", {"too many attributes"}),
    ("<!--[if mso]>", 10, "nothing to track", set()),
    ("nested multiparts", 10, "nested too deep", set()),
    ("white space in a header", 10, "malformed header", set()),
    ("nested <div>", 4, "verification: a link is not where it should be", set()),
    ("<img", 10, "nothing to track", set()),
    ("<script>", 10, "nothing to track", set()),
    ("</titl", 10, "nothing to track", set()),
]


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    def call_off(*_: object) -> None:
        pytest.fail("this takes more than linear time")

    before = signal.signal(signal.SIGALRM, call_off)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("kind", "times", "links", "rules"), REWRITTEN, ids=str)
def test_rewritten(kind: str, times: int, links: int, rules: set[str]) -> None:
    result = rewrite(KINDS[kind](times), tracking=ANY_SIZE, links=Mint())
    assert isinstance(result, Rewritten), result
    assert (len(result.links), result.pixel is not None) == (links, True)
    assert set(rules_of(result)) == rules


@pytest.mark.parametrize(("kind", "times", "reason", "rules"), UNTOUCHED, ids=str)
def test_untouched(kind: str, times: int, reason: str, rules: set[str]) -> None:
    result = rewrite(KINDS[kind](times), tracking=ANY_SIZE, links=Mint())
    assert isinstance(result, Untouched)
    assert result.reason == reason
    assert set(rules_of(result)) == rules


def test_every_kind_is_asked() -> None:
    assert {kind for kind, *_ in (*REWRITTEN, *UNTOUCHED)} == set(KINDS)
