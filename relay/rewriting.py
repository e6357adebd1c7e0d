"""The copies that a plan asks for: tracked, or changed in nothing but old links of ours in quotes.

A message is read once for all copies of which the same is tracked, and each is rendered from that;
they differ in what is minted for them.
Any fault of the rewriter's costs a message its tracking and nothing else: it leaves as it came.
The rewriter takes messages whole: bulky ones come to it one at a time, and go back to the disk.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import urlsplit

import structlog

from collector.own import OwnLinks
from collector.tokens import MessageLinks, Tokens
from relay import metrics
from relay.content import Content
from relay.drafts import Drafts
from relay.policy import PlannedCopy
from rewriter import (
    Left,
    Link,
    Rewritten,
    Tracking,
    Untouched,
    find_left,
    plan,
    read_beginning,
)

log = structlog.get_logger()

INLINE_OCTETS = 65_536  # more than this, of all copies, is rewritten in a thread, off the loop
OFF = Tracking(opens=False, clicks=False)


@dataclass(frozen=True, slots=True)
class Made:
    """What each copy holds, and what was put in: links, a pixel, old links of ours mended.

    `reason` says why there is nothing to track in any, if there is nothing. Then no copy differs
    from another, and there is one content, for all. `snippet` is the first words of the text,
    `left` what stayed as it was, and why.
    """

    contents: tuple[Content, ...]
    reason: str | None
    links: tuple[Link, ...] = ()
    pixel: bool = False
    restored: int = 0
    snippet: str = field(default="", repr=False)
    left: tuple[Left, ...] = ()


class Rewriting:
    """Makes copies whose pixels and links lead to `public_url`.

    `tracking` says how, for all mail; its toggles are the plan's, its hosts are filled in here.
    With `detrack_quotes`, links of earlier mail lead to their targets again and its pixels go,
    whoever wrote it and whether or not the copy is tracked. With `keep_snippet` the first words of
    what was read are told.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        public_url: str,
        drafts: Drafts,
        tracking: Tracking = OFF,
        detrack_quotes: bool = True,
        keep_snippet: bool = True,
    ) -> None:
        self._keep_snippet = keep_snippet
        self._tokens = tokens
        self._public_url = public_url
        self._drafts = drafts
        self._ours = OwnLinks(tokens, public_url)
        self._own = self._ours if detrack_quotes else None
        own_host = urlsplit(public_url).hostname or ""
        self._tracking = replace(tracking, own_hosts=frozenset({own_host}))
        self._bulky = asyncio.Semaphore()

    async def copies(
        self,
        content: Content,
        planned: Sequence[PlannedCopy],
        message_id: int,
        *,
        resigned: bool = False,
    ) -> Made:
        """What becomes of `content` in these copies.

        One that carries DKIM signatures is left alone unless it is to be `resigned` afterwards.

        Raises nothing: a fault is told, counted, and a reason.
        """
        tracked = any(each.opens or each.clicks for each in planned)
        if not tracked and (self._own is None or not planned[0].may_change):
            return Made((content,), "tracking is off")
        make = partial(self._make, content, planned, message_id, resigned=resigned)
        try:
            if content.size * len(planned) <= INLINE_OCTETS:
                made = make()
            elif not content.is_bulky:
                made = await asyncio.to_thread(make)
            else:
                async with self._bulky:
                    made = await asyncio.to_thread(make)
        except Exception:
            metrics.REWRITES.labels("failed").inc()
            log.exception("rewriting failed", id=f"{message_id:x}")
            return Made((content,), "internal error")
        if tracked:
            done = any(each is not content for each in made.contents)
            metrics.REWRITES.labels("rewritten" if done else "untouched").inc()
        return made

    async def restore(self, content: Content, message_id: int) -> bytes | None:
        """The message as its sender wrote it, without what is ours. None where that fails."""
        try:
            return await asyncio.to_thread(self._without_ours, content, message_id)
        except Exception:
            log.exception("restoring failed", id=f"{message_id:x}")
            return None

    def _without_ours(self, content: Content, message_id: int) -> bytes | None:
        message = content.read()
        # The signature that left with it is ours, or was never over what is ours.
        off = replace(self._tracking, opens=False, clicks=False, resigned=True)
        found = plan(message, tracking=off, own=self._ours)
        if isinstance(found, Untouched):
            return message
        made = found.render(MessageLinks(self._tokens, self._public_url, message_id))
        return made.message if isinstance(made, Rewritten) else None

    def _make(
        self,
        content: Content,
        planned: Sequence[PlannedCopy],
        message_id: int,
        *,
        resigned: bool,
    ) -> Made:
        """Those alike in what is tracked of them together; usually all are."""
        message = content.read()
        alike: dict[tuple[bool, bool], dict[int, MessageLinks]] = {}
        for place, each in enumerate(planned):
            links = MessageLinks(self._tokens, self._public_url, message_id, each.recipient)
            alike.setdefault((each.opens, each.clicks), {})[place] = links
        groups = []
        for (opens, clicks), group in sorted(alike.items(), reverse=True):  # the most tracked first
            tracking = replace(self._tracking, opens=opens, clicks=clicks, resigned=resigned)
            made = self._make_alike(content, message, tracking, list(group.values()))
            groups.append((list(group), made))
        return groups[0][1] if len(groups) == 1 else _join(groups)

    def _make_alike(
        self, content: Content, message: bytes, tracking: Tracking, links: Sequence[MessageLinks]
    ) -> Made:
        found = plan(message, tracking=tracking, own=self._own)
        tracked = tracking.opens or tracking.clicks
        snippet = read_beginning(message, found.parts) if tracked and self._keep_snippet else ""
        if isinstance(found, Untouched):
            return Made((content,), found.reason, snippet=snippet, left=_find_left(found, tracking))
        first = found.render(links[0])
        left = _find_left(first, tracking)
        if isinstance(first, Untouched):
            return Made((content,), first.reason, snippet=snippet, left=left)
        contents = [self._drafts.keep(first.message)]
        tracked = bool(first.pixel or first.links)
        for each in links[1:] if tracked else ():
            # What is minted is as long for all, so the copy that was verified speaks for the rest.
            copy = found.render(each, verified=True)
            assert isinstance(copy, Rewritten)
            contents.append(self._drafts.keep(copy.message))
        return Made(
            tuple(contents),
            None if tracked else "nothing to track",
            links=first.links,
            pixel=bool(first.pixel),
            restored=len(first.restored),
            snippet=snippet,
            left=left,
        )


def _find_left(made: Rewritten | Untouched, tracking: Tracking) -> tuple[Left, ...]:
    """Of a copy that is not to be tracked, nothing was left out."""
    return find_left(made, opens=tracking.opens) if tracking.opens or tracking.clicks else ()


def _join(groups: Sequence[tuple[list[int], Made]]) -> Made:
    """One of several, each with the places of its copies among all."""
    tracked = [made for _, made in groups if made.reason is None]
    if not tracked:
        return groups[0][1]
    contents: dict[int, Content] = {}
    for places, made in groups:
        own = made.contents if made.reason is None else made.contents * len(places)
        contents.update(zip(places, own, strict=True))
    return Made(
        tuple(contents[place] for place in sorted(contents)),
        None,
        links=max((made.links for made in tracked), key=len),
        pixel=any(made.pixel for made in tracked),
        restored=groups[0][1].restored,
        snippet=groups[0][1].snippet,
        left=tuple(dict.fromkeys(each for _, made in groups for each in made.left)),
    )
