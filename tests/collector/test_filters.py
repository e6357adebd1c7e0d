"""Which messages are found: by words in any of three texts, and by what is tracked of them."""

from collections.abc import Callable

import pytest

from collector.filters import MAX_WORDS, MessageFilter, read_words
from collector.stats import Stats
from collector.store import Sent, Store


@pytest.fixture
async def found(store: Store, sender_id: int, make_sent: Callable[..., Sent]):
    """`await found(matching)`: the subjects of those that match."""
    for subject, recipients, snippet in (
        ("The Quote", ("ben@example.net",), "Dear Ben, 100% oak"),
        ("Invoice_7", ("Zoë@bücher.example", "accounts@big.example"), "Please pay"),
        ("École ouverte", ("o_o@example.net",), ""),
    ):
        sent = make_sent(subject=subject, recipients=recipients, snippet=snippet)
        await store.record_sent(sent)

    async def find(matching: MessageFilter) -> list[str]:
        return [row.subject for row in await Stats(store).recent(sender_id, matching=matching)]

    return find


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("quote", ["The Quote"]),
        ("QUOTE ben", ["The Quote"]),
        ("dear quote", ["The Quote"]),
        ("quote pay", []),
        ("example", ["École ouverte", "Invoice_7", "The Quote"]),
        ("PAY", ["Invoice_7"]),
        ("%", ["The Quote"]),
        ("e_7", ["Invoice_7"]),
        ("e-7", []),
        ("école", ["École ouverte"]),
        ("ÉCOLE", ["École ouverte"]),
        ("zoË@BÜCHER", ["Invoice_7"]),
        ("'; DROP", []),
        ("", ["École ouverte", "Invoice_7", "The Quote"]),
    ],
)
async def test_words(found, text: str, subjects: list[str]) -> None:
    assert await found(MessageFilter(words=read_words(text))) == subjects


def test_many_words_are_too_many() -> None:
    assert read_words(" a  b\tc ") == ("a", "b", "c")
    assert len(read_words("word " * 100)) == MAX_WORDS


async def test_what_could_be_opened_and_was_not(
    store: Store, sender_id: int, make_sent: Callable[..., Sent]
) -> None:
    for opens, clicks in ((True, True), (False, True), (False, False)):
        await store.record_sent(make_sent(subject=f"{opens} {clicks}", opens=opens, clicks=clicks))

    async def find(**wanted: bool) -> list[str]:
        rows = await Stats(store).recent(sender_id, matching=MessageFilter(**wanted))
        return [row.subject for row in rows]

    assert await find(opened=False, opens_tracked=True) == ["True True"]
    assert await find(opens_tracked=False) == ["False False", "False True"]
    assert await find(tracked=True) == ["False True", "True True"]
