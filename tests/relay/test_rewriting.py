"""Copies: which are made where, how many at once, and where they are kept."""

import asyncio
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mails import mail
from relays import PATIENCE, PUBLIC_URL, TOKENS, until

from collector.tokens import MessageLinks
from relay import rewriting
from relay.content import Content
from relay.drafts import IN_MEMORY, Drafts
from relay.policy import PlannedCopy
from relay.rewriting import INLINE_OCTETS, Made, Rewriting
from rewriter import Left, Rewritten, Tracking, plan, rewrite

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
    made = await Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts).copies(
        content, [TRACKED], 1
    )
    assert (len(made.links), made.pixel, made.reason) == (1, True, None)
    [copy] = made.contents
    assert copy.is_bulky == content.is_bulky == (size == IN_MEMORY)
    assert copy.read().count(PUBLIC_URL.encode()) == 2


def tokens_in(message: bytes) -> list[str]:
    """Our tokens in an 8bit message, in order."""
    return re.findall(rf"{PUBLIC_URL}/[oc]/([\w-]+)", message.decode("latin-1"))


@pytest.mark.parametrize("size", [0, INLINE_OCTETS // 3, INLINE_OCTETS, IN_MEMORY])
async def test_copies_differ_in_their_tokens_alone(size: int, drafts: Drafts) -> None:
    content = drafts.keep(newsletter(size))
    planned = [replace(TRACKED, recipient=ordinal) for ordinal in (1, 2, 5)]
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    made = await copies.copies(content, planned, 1)
    assert (len(made.links), made.pixel, made.reason) == (1, True, None)
    bare = set()
    for each, copy in zip(planned, made.contents, strict=True):
        message = copy.read()
        assert copy.is_bulky == (size == IN_MEMORY)
        click, pixel = tokens_in(message)
        opened, clicked = TOKENS.read_open(pixel), TOKENS.read_click(click)
        assert opened
        assert clicked
        assert opened.recipient == clicked.recipient == each.recipient
        assert (opened.message_id, clicked.message_id, clicked.link) == (1, 1, 0)
        bare.add(message.replace(click.encode(), b"").replace(pixel.encode(), b""))
    assert len(bare) == 1


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
async def test_a_copy_is_what_it_would_be_alone(encoding: str, drafts: Drafts) -> None:
    """It is rendered without a second reading: here it gets one."""
    raw = mail('<p><a href="https://e.com/?a=1">x</a> <b>caf\xe9</b></p>' * 30, encoding)
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    planned = [replace(TRACKED, recipient=ordinal) for ordinal in range(1, 30)]
    made = await copies.copies(Content.of(raw), planned, 1)
    tracking = Tracking(opens=True, clicks=True, own_hosts={"t.example.com"})
    for each, copy in zip(planned, made.contents, strict=True):
        links = MessageLinks(TOKENS, PUBLIC_URL, 1, each.recipient)
        alone = rewrite(raw, tracking=tracking, links=links)
        assert isinstance(alone, Rewritten)
        assert copy.read() == alone.message


@pytest.mark.parametrize(
    ("raw", "reason", "snippet"),
    [
        (mail("<p>x</p>").replace(b"text/html", b"text/plain"), "no HTML part", "<p>x</p>"),
        (b"Subject: x\r\n", "no blank line after the header", ""),
        (b"DKIM-Signature: x\r\n" + newsletter(0), "carries a DKIM signature", ""),
    ],
)
async def test_what_is_not_tracked_is_one_for_all(
    raw: bytes, reason: str, snippet: str, drafts: Drafts
) -> None:
    content = Content.of(raw)
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    made = await copies.copies(content, [TRACKED, TRACKED], 1)
    assert made == Made((content,), reason, snippet=snippet)


@pytest.mark.parametrize("size", [0, INLINE_OCTETS, IN_MEMORY])
async def test_the_first_words_are_told_where_they_are_kept(size: int, drafts: Drafts) -> None:
    content = drafts.keep(newsletter(size))
    keeps = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    keeps_none = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts, keep_snippet=False)
    for planned in ([TRACKED], [NOTHING, CLICKS, OPENS]):
        made = await keeps.copies(content, planned, 1)
        assert made.snippet.startswith("x words and words")
        assert made.snippet not in repr(made)
        assert (await keeps_none.copies(content, planned, 1)).snippet == ""
    assert (await keeps.copies(content, [NOTHING], 1)).snippet == ""


async def test_what_is_signed_anew_may_change(drafts: Drafts) -> None:
    content = Content.of(b"DKIM-Signature: x\r\n" + newsletter(1))
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    made = await copies.copies(content, [TRACKED], 1, resigned=True)
    assert (made.reason, made.pixel, len(made.links)) == (None, True, 1)
    assert made.contents[0].head == content.head


async def test_mended_quotes_alone_are_one_for_all(drafts: Drafts) -> None:
    links = MessageLinks(TOKENS, PUBLIC_URL, 7, 1)
    quoted = mail(f'<p><a href="{links.click(b"https://e.com/", 0)}">x</a></p>')
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    clicks = replace(TRACKED, opens=False)
    made = await copies.copies(Content.of(quoted), [clicks, clicks], 1)
    assert (made.reason, made.restored, made.links) == ("nothing to track", 1, ())
    [copy] = made.contents
    assert copy.read() == mail('<p><a href="https://e.com/">x</a></p>')


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
        return plan(raw, **options)

    monkeypatch.setattr(rewriting, "plan", watched)
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    large = drafts.keep(newsletter(IN_MEMORY))
    tasks = [asyncio.create_task(copies.copies(large, [TRACKED], number)) for number in range(3)]
    await until(lambda: bool(begun))
    for size in (0, INLINE_OCTETS):
        await copies.copies(drafts.keep(newsletter(size)), [TRACKED], 9)
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
    assert await copies.copies(content, [TRACKED], 1) == Made((content,), "internal error")


# --- copies of which not the same is tracked ------------------------------------------------------

OPENS, CLICKS = replace(TRACKED, clicks=False), replace(TRACKED, opens=False)
NOTHING = replace(TRACKED, opens=False, clicks=False, reason="objected")


@pytest.mark.parametrize("size", [0, INLINE_OCTETS, IN_MEMORY])
async def test_each_copy_holds_what_is_tracked_of_it(size: int, drafts: Drafts) -> None:
    content = drafts.keep(newsletter(size))
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    planned = [NOTHING, OPENS, replace(TRACKED, recipient=3), CLICKS, replace(TRACKED, recipient=5)]
    made = await copies.copies(content, planned, 1)
    assert (len(made.links), made.pixel, made.reason) == (1, True, None)
    assert len(made.contents) == len(planned)
    for each, copy in zip(planned, made.contents, strict=True):
        [alone] = (await copies.copies(content, [each], 1)).contents
        assert copy.read() == alone.read()
    assert made.contents[0] is content


async def test_old_links_go_from_the_copies_of_all(drafts: Drafts) -> None:
    old = MessageLinks(TOKENS, PUBLIC_URL, 7, 1)
    new = '<p><a href="https://e.com/new">y</a></p>'
    quoted = mail(f'{new}<p><a href="{old.click(b"https://e.com/", 0)}">x</a></p>')
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    made = await copies.copies(Content.of(quoted), [NOTHING, TRACKED], 1)
    assert (made.reason, made.restored, len(made.links)) == (None, 1, 1)
    assert made.contents[0].read() == mail(f'{new}<p><a href="https://e.com/">x</a></p>')
    assert len(tokens_in(made.contents[1].read())) == 2


async def test_where_no_copy_has_anything_to_track_there_is_one(drafts: Drafts) -> None:
    old = MessageLinks(TOKENS, PUBLIC_URL, 7, 1)
    quoted = mail(f'<p><a href="{old.click(b"https://e.com/", 0)}">x</a></p>')
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    made = await copies.copies(Content.of(quoted), [NOTHING, CLICKS], 1)
    assert (made.reason, made.restored) == ("nothing to track", 1)
    [copy] = made.contents
    assert copy.read() == mail('<p><a href="https://e.com/">x</a></p>')
    plain = Content.of(mail("<p>x</p>").replace(b"text/html", b"text/plain"))
    made = await copies.copies(plain, [NOTHING, TRACKED], 1)
    assert made == Made((plain,), "no HTML part", snippet="<p>x</p>")


async def test_one_copy_without_links_beside_one_with_a_pixel(drafts: Drafts) -> None:
    content = Content.of(mail('<p>no <a href="mailto:bob@example.org">link</a></p>'))
    copies = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=drafts)
    made = await copies.copies(content, [CLICKS, replace(CLICKS), OPENS], 1)
    assert (made.reason, made.pixel, made.links) == (None, True, ())
    assert made.contents[:2] == (content, content)
    assert made.left == (Left("scheme", 1, "mailto:"),)
    assert len(tokens_in(made.contents[2].read())) == 1
