"""The second reading: whatever is not as it should be is found."""

from __future__ import annotations

import pytest
from mails import BOTH, Mint, mail

from rewriter import Untouched, rewrite, transfer
from rewriter.contract import Doubt
from rewriter.verify import Put, check_document

A, B, P = "https://t.example.com/c/a", "https://t.example.com/c/b", "https://t.example.com/o/p"


@pytest.mark.parametrize(
    ("html", "put"),
    [
        (f'<a href="{A}">x</a><area href={B}>', Put([A, B])),
        (f'<img src="{P}">', Put(pixel=P)),
        (f'<!--[if mso]><a href="{A}"><![endif]-->', Put(in_comments=[A])),
        (f'</html><a href="{A}">late</a>', Put([A])),
        (f'<p>\x1b$B"<\x1b(B<a href="{A}">x</a>', Put([A])),
        ("", Put()),
    ],
)
def test_what_is_right_passes(html: str, put: Put) -> None:
    check_document(html.encode(), put)


@pytest.mark.parametrize(
    ("html", "put"),
    [
        pytest.param("<p>x</p>", Put([A]), id="missing"),
        pytest.param(f'<a href="{B}"></a><a href="{A}"></a>', Put([A, B]), id="order"),
        pytest.param(f'<a href="{A}"></a>' * 2, Put([A]), id="twice"),
        pytest.param(f'<a href=" {A}">', Put([A]), id="not whole"),
        pytest.param(f'<style><a href="{A}"></style>', Put([A]), id="in raw text"),
        pytest.param(f'<!-- <a href="{A}"> -->', Put([A]), id="in a comment"),
        pytest.param(f'<link href="{A}">', Put([A]), id="no link"),
        pytest.param("<p>", Put(pixel=P), id="no pixel"),
        pytest.param(f'<img src="{P}">' * 2, Put(pixel=P), id="two pixels"),
        pytest.param(f'<a href="{A}">', Put(in_comments=[A]), id="outside the comment"),
        pytest.param(f"<!--{B}{A}-->", Put(in_comments=[A, B]), id="order in comments"),
        pytest.param("<div>" * 5_000 + f'<a href="{A}">', Put([A]), id="too deep to read"),
    ],
)
def test_what_is_wrong_is_doubted(html: str, put: Put) -> None:
    with pytest.raises(Doubt, match="verification"):
        check_document(html.encode(), put)


def test_a_fault_in_the_splice_costs_the_tracking_not_the_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose_a_byte(data: bytes, edits: list[transfer.Edit]) -> bytes:
        return data[: edits[0].start] + edits[0].new[:-1] + data[edits[0].end :]

    monkeypatch.setattr(transfer, "splice", lose_a_byte)
    result = rewrite(mail('<a href="http://e.com/">x</a>'), tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert result.reason == "verification: a link is not where it should be"
