"""Copies: which are made where, how many at once, and where they are kept."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from mails import mail
from relays import PATIENCE, PUBLIC_URL, TOKENS, until

from relay import rewriting
from relay.content import Content
from relay.drafts import IN_MEMORY, Drafts
from relay.policy import PlannedCopy
from relay.rewriting import INLINE_OCTETS, Made, Rewriting
from rewriter import rewrite

TRACKED = PlannedCopy(recipients=(), opens=True, clicks=True, reason=None)


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    return Drafts(tmp_path)


def newsletter(size: int) -> bytes:
    """A mail of one link and `size` octets at least."""
    return mail('<p><a href="https://e.com/">x</a></p>' + "words and words\r\n" * (size // 17 + 1))


@pytest.mark.parametrize("size", [0, INLINE_OCTETS, IN_MEMORY])
async def test_copies_of_all_sizes(size: int, drafts: Drafts) -> None:
    content = drafts.keep(newsletter(size))
    made = await Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts).copy(
        content, TRACKED, 1
    )
    assert (len(made.links), made.pixel, made.reason) == (1, True, None)
    assert made.content.is_bulky == content.is_bulky == (size == IN_MEMORY)
    assert made.content.read().count(PUBLIC_URL.encode()) == 2


async def test_bulky_ones_come_one_at_a_time(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits, in its thread, for a small one that comes later; no other bulky one does."""
    begun: list[int] = []
    small_is_done = threading.Event()

    def watched(raw: bytes, **options: Any) -> object:
        begun.append(len(raw))
        if len(raw) > IN_MEMORY:
            assert small_is_done.wait(PATIENCE)
        return rewrite(raw, **options)

    monkeypatch.setattr(rewriting, "rewrite", watched)
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    large = drafts.keep(newsletter(IN_MEMORY))
    tasks = [asyncio.create_task(copies.copy(large, TRACKED, number)) for number in range(3)]
    await until(lambda: bool(begun))
    for size in (0, INLINE_OCTETS):
        await copies.copy(drafts.keep(newsletter(size)), TRACKED, 9)
    assert [size > IN_MEMORY for size in begun] == [True, False, False]
    small_is_done.set()
    assert all(len(made.links) == 1 for made in await asyncio.gather(*tasks))


async def test_a_broken_disk_costs_the_tracking_not_the_mail(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Content:
        raise OSError("no space")

    monkeypatch.setattr(Drafts, "keep", full)
    content = Content.of(newsletter(0))
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    assert await copies.copy(content, TRACKED, 1) == Made(content, "internal error")
