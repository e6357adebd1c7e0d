"""The copy that a plan asks for: tracked, or with nothing changed but our own old links in quotes.

Any fault of the rewriter's costs a message its tracking and nothing else: it leaves as it came.
The rewriter takes messages whole: bulky ones come to it one at a time, and go back to the disk.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

import structlog

from collector.own import OwnLinks
from collector.tokens import MessageLinks, Tokens
from relay import metrics
from relay.content import Content
from relay.drafts import Drafts
from relay.policy import PlannedCopy
from rewriter import Link, Tracking, Untouched, rewrite

log = structlog.get_logger()

INLINE_OCTETS = 65_536  # larger messages are rewritten in a thread, off the event loop
OFF = Tracking(opens=False, clicks=False)


@dataclass(frozen=True, slots=True)
class Made:
    """A copy, and what was put into it: links in order, a pixel, old links of ours mended.

    `reason` says why there is nothing to track in it, if there is nothing.
    """

    content: Content
    reason: str | None
    links: tuple[Link, ...] = ()
    pixel: bool = False
    restored: int = 0


class Rewriting:
    """Makes copies whose pixels and links lead to `public_url`.

    `tracking` says how, for all mail; its toggles are the plan's, its hosts are filled in here.
    With `detrack_quotes`, links of earlier mail lead to their targets again and its pixels go,
    whoever wrote it and whether or not the copy is tracked.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        public_url: str,
        drafts: Drafts,
        tracking: Tracking = OFF,
        detrack_quotes: bool = True,
    ) -> None:
        self._tokens = tokens
        self._public_url = public_url
        self._drafts = drafts
        self._own = OwnLinks(tokens, public_url) if detrack_quotes else None
        own_host = urlsplit(public_url).hostname or ""
        self._tracking = replace(tracking, own_hosts=frozenset({own_host}))
        self._bulky = asyncio.Semaphore()

    async def copy(self, content: Content, planned: PlannedCopy, message_id: int) -> Made:
        """What becomes of `content`. Raises nothing: a fault is told, counted, and a reason."""
        tracked = planned.opens or planned.clicks
        if not tracked and (self._own is None or not planned.may_change):
            return Made(content, "tracking is off")
        tracking = replace(self._tracking, opens=planned.opens, clicks=planned.clicks)
        links = MessageLinks(self._tokens, self._public_url, message_id)
        make = partial(self._make, content, tracking, links)
        try:
            if content.size <= INLINE_OCTETS:
                made = make()
            elif not content.is_bulky:
                made = await asyncio.to_thread(make)
            else:
                async with self._bulky:
                    made = await asyncio.to_thread(make)
        except Exception:
            metrics.REWRITES.labels("failed").inc()
            log.exception("rewriting failed", id=f"{message_id:x}")
            return Made(content, "internal error")
        if tracked:
            done = made.content is not content
            metrics.REWRITES.labels("rewritten" if done else "untouched").inc()
        return made

    def _make(self, content: Content, tracking: Tracking, links: MessageLinks) -> Made:
        result = rewrite(content.read(), tracking=tracking, links=links, own=self._own)
        if isinstance(result, Untouched):
            return Made(content, result.reason)
        return Made(
            self._drafts.keep(result.message),
            None if result.pixel or result.links else "nothing to track",
            links=result.links,
            pixel=bool(result.pixel),
            restored=len(result.restored),
        )
