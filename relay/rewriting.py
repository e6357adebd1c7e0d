"""The copy that a plan asks for: tracked, or with nothing changed but our own old links in quotes.

Any fault of the rewriter's costs a message its tracking and nothing else: it leaves as it came.
"""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

import structlog

from collector.own import OwnLinks
from collector.tokens import MessageLinks, Tokens
from relay import metrics
from relay.policy import PlannedCopy
from rewriter import Rewritten, Tracking, Untouched, rewrite

log = structlog.get_logger()

INLINE_OCTETS = 65_536  # larger messages are rewritten in a thread, off the event loop
OFF = Tracking(opens=False, clicks=False)


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
        tracking: Tracking = OFF,
        detrack_quotes: bool = True,
    ) -> None:
        self._tokens = tokens
        self._public_url = public_url
        self._own = OwnLinks(tokens, public_url) if detrack_quotes else None
        own_host = urlsplit(public_url).hostname or ""
        self._tracking = replace(tracking, own_hosts=frozenset({own_host}))

    async def copy(
        self, content: bytes, planned: PlannedCopy, message_id: int
    ) -> Rewritten | Untouched:
        """What becomes of `content`. Raises nothing: a fault is told, counted, and a reason."""
        tracked = planned.opens or planned.clicks
        if not tracked and (self._own is None or not planned.may_change):
            return Untouched("tracking is off")
        tracking = replace(self._tracking, opens=planned.opens, clicks=planned.clicks)
        links = MessageLinks(self._tokens, self._public_url, message_id)
        try:
            if len(content) <= INLINE_OCTETS:
                result = rewrite(content, tracking=tracking, links=links, own=self._own)
            else:
                result = await asyncio.to_thread(
                    rewrite, content, tracking=tracking, links=links, own=self._own
                )
        except Exception:
            metrics.REWRITES.labels("failed").inc()
            log.exception("rewriting failed", id=f"{message_id:x}")
            return Untouched("internal error")
        if tracked:
            done = isinstance(result, Rewritten)
            metrics.REWRITES.labels("rewritten" if done else "untouched").inc()
        return result
