"""Charsets: which keep markup readable as ASCII, and runs that leave ASCII (rows 66 to 68)."""

from __future__ import annotations

import pytest
from mails import BOTH, Mint, mail, rules, rules_of

from rewriter import Rewritten, Untouched, rewrite
from rewriter.charset import keeps_ascii, mask_shifted
from rewriter.contract import Doubt


@pytest.mark.parametrize("name", ["utf-16", "UTF-32LE", "utf-7", "hz-gb-2312", "cp037", "cp500"])
def test_charsets_that_give_ascii_another_meaning(name: str) -> None:
    assert not keeps_ascii(name)


@pytest.mark.parametrize(
    "name",
    ["us-ascii", "utf8", "Windows-1252", "shift_jis", "gb18030", "big5", "iso-2022-jp", "x-?"],
)
def test_charsets_that_keep_it(name: str) -> None:
    assert keeps_ascii(name)


@pytest.mark.parametrize("charset", ["iso-2022-jp", "iso-2022-kr"])
def test_shifted_runs_are_masked_one_for_one(charset: str) -> None:
    text = 'あ<a href="x">漢字</a>か' if charset.endswith("jp") else '한글<a href="x">국어</a>말'
    encoded = text.encode(charset)
    masked = mask_shifted(encoded)
    assert len(masked) == len(encoded)
    assert masked.count(b"<") == 2
    assert b'<a href="x">' in masked


def test_text_that_ends_shifted_is_doubtful() -> None:
    with pytest.raises(Doubt):
        mask_shifted(b'<p>\x1b$B$"')


@pytest.mark.parametrize(
    "charset", ["iso-2022-jp", "shift_jis", "euc-jp", "gb18030", "big5", "x-unknown", None]
)
def test_other_bytes_stay_intact(charset: str | None) -> None:
    known = charset if charset and charset != "x-unknown" else "utf-8"
    html = '<p>漢字</p><a href="http://e.com/">漢字</a><p>漢字</p>'.encode(known)
    result = rewrite(mail(html, charset=charset), tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    before, after = html.split(b"http://e.com/")
    assert before in result.message
    assert after in result.message
    assert result.links[0].label == "漢字"


def test_utf_16_is_left_alone() -> None:
    html = '<a href="http://e.com/">x</a>'.encode("utf-16")
    result = rewrite(mail(html, "base64", charset="utf-16"), tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert rules_of(result) == ["charset"]


def test_undeclared_utf_16_is_left_alone() -> None:
    assert rules('<a href="http://e.com/">x</a>'.encode("utf-16")) == ["NUL bytes"]
