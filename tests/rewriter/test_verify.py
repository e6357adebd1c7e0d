"""The second reading: whatever is not as it should be is found."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from mails import BOTH, Mint, mail

from rewriter import Untouched, rewrite, transfer
from rewriter.contract import Doubt
from rewriter.verify import Put, check_document, check_splice

A, B, P = "https://t.example.com/c/a", "https://t.example.com/c/b", "https://t.example.com/o/p"


@pytest.mark.parametrize(
    ("html", "put"),
    [
        (f'<a href="{A}">x</a><area href={B}>', Put(2, {0: A, 1: B})),
        (f'<a href="x">x</a><a name=y><a href="{A}">', Put(2, {1: A})),
        ('<a href="http://e.com/?a=1&amp;b=2">x</a>', Put(1, {0: "http://e.com/?a=1&b=2"})),
        (f'<img src="{P}">', Put(0, pixel=P)),
        (f'<!--[if mso]><a href="{A}"><![endif]-->', Put(0, in_comments=[A])),
        (f'</html><a href="{A}">late</a>', Put(1, {0: A})),
        (f'<p>\x1b$B"<\x1b(B<a href="{A}">x</a>', Put(1, {0: A})),
        ("", Put(0)),
        ("plain text <a", Put(None)),
    ],
)
def test_what_is_right_passes(html: str, put: Put) -> None:
    check_document(html.encode(), put)


@pytest.mark.parametrize(
    ("html", "put"),
    [
        pytest.param("<p>x</p>", Put(1, {0: A}), id="missing"),
        pytest.param(f'<a href="{B}"></a><a href="{A}"></a>', Put(2, {0: A, 1: B}), id="order"),
        pytest.param(f'<a href="{A}"></a>' * 2, Put(1, {0: A}), id="twice"),
        pytest.param(f'<a href=" {A}">', Put(1, {0: A}), id="not whole"),
        pytest.param(f'<style><a href="{A}"></style>', Put(1, {0: A}), id="in raw text"),
        pytest.param(f'<!-- <a href="{A}"> -->', Put(1, {0: A}), id="in a comment"),
        pytest.param(f'<link href="{A}">', Put(1, {0: A}), id="no link"),
        pytest.param("<p>", Put(0, pixel=P), id="no pixel"),
        pytest.param(f'<img src="{P}">' * 2, Put(0, pixel=P), id="two pixels"),
        pytest.param(f'<p title="{A}">', Put(0, in_comments=[A]), id="outside the comment"),
        pytest.param(f"<!--{B}{A}-->", Put(0, in_comments=[A, B]), id="order in comments"),
        pytest.param("<div>" * 5_000 + f'<a href="{A}">', Put(1, {0: A}), id="too deep to read"),
    ],
)
def test_what_is_wrong_is_doubted(html: str, put: Put) -> None:
    with pytest.raises(Doubt, match="verification"):
        check_document(html.encode(), put)


@pytest.mark.parametrize(
    ("result", "right"),
    [(b"one new three", True), (b"one new\r\n three", True), (b"one new thre", False)],
)
def test_the_rest_of_the_text_is_the_same(result: bytes, *, right: bool) -> None:
    body = transfer.open_body("8bit", b"one two three", b"\r\n")
    edits = [transfer.Edit(4, 7, b"new")]
    with nullcontext() if right else pytest.raises(Doubt, match="elsewhere"):
        check_splice(body, edits, result)


def test_a_fault_in_the_splice_costs_the_tracking_not_the_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose_a_byte(data: bytes, edits: list[transfer.Edit]) -> bytes:
        return data[: edits[0].start] + edits[0].new[:-1] + data[edits[0].end :]

    monkeypatch.setattr(transfer, "splice", lose_a_byte)
    result = rewrite(mail('<a href="http://e.com/">x</a>'), tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert result.reason.startswith("verification: ")
