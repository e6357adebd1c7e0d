"""One way upstream: its hosts, as whom they know us, and whether one takes mail just now.

The hosts are tried in order. One that cannot be reached is passed over for a while; what a host
answers to a mail stands, whatever the others would say. A lane of which no host is there holds its
mail back as a whole: one attempt at a time looks for it, and all others hear at once that it is
away. What is not a mail's fault is Unreached.
"""

from collections.abc import Callable

import structlog

from relay.credentials import Credentials
from relay.envelope import Copy, Deferred, Outcome, Unreached
from relay.gate import Gate
from relay.health import Health
from relay.log import mask
from relay.oauth import TokenSource
from relay.settlement import is_unreached
from relay.transaction import ConversationBroken
from relay.upstream import LoginRefused, UpstreamError, UpstreamHost, UpstreamRoute
from relay.upstream_sessions import UpstreamSessions

log = structlog.get_logger()


class Lane:
    """Sends copies. `name` tells where and as whom, for the log and alarms, its address masked,
    and `where` only where; `width` how many at once the queue may send."""

    def __init__(
        self,
        route: UpstreamRoute,
        *,
        gate_of: Callable[[UpstreamHost], Gate],
        tokens: TokenSource | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        first = route.hosts[0]
        login = credentials.login.decode("utf-8", "replace") if credentials else first.user
        self.where = ", ".join(host.where for host in route.hosts)
        self.name = self.where + (f" as {mask(login)}" if login else "")
        self.width = gate_of(first).share
        self._hosts = [
            UpstreamSessions(host, gate_of(host), credentials, tokens, owner=self)
            for host in route.hosts
        ]
        self._health = Health()
        self._listeners: dict[Callable[[], None], None] = {}

    @property
    def is_proven(self) -> bool:
        """Whether a session stands, and the login was right not long ago."""
        return any(host.is_proven for host in self._hosts)

    @property
    def is_away(self) -> bool:
        """Whether the last attempt found nobody there."""
        return self._health.is_away

    def may_try(self) -> bool:
        """Whether sending is worth it: False while upstream is away and no probe is due."""
        return self._health.may_try()

    @property
    def seconds_to_probe(self) -> float:
        """While it is away: until sending is worth it again, as a probe. Else 0."""
        return self._health.seconds_to_probe

    def look_again(self) -> None:
        """Somebody wants it tried: while it is away, the next probe is due at once."""
        self._health.look_again()

    def on_back(self, call: Callable[[], None]) -> None:
        """`call` is called whenever upstream is back, from now on; once, if it is given twice."""
        self._listeners[call] = None

    async def log_in(self) -> None:
        """Opens a session and keeps it. Raises LoginRefused, UpstreamError."""
        for host in self._in_order():
            try:
                await host.log_in()
            except LoginRefused:
                raise
            except UpstreamError as error:
                failure = error
            else:
                return
        raise failure

    async def check(self) -> None:
        """Connects to each host, goes over to TLS and logs in. Raises UpstreamError."""
        for host in self._hosts:
            await host.check()

    async def send(self, copy: Copy, *, partial: bool = False) -> tuple[Outcome, ...]:
        """What became of the copy: an outcome for each recipient, in their order.

        All or nothing; with `partial`, which is how the queue sends, whoever is accepted gets it.
        While upstream is away an attempt is the probe, or Unreached at once if there is one.
        """
        probe = self._health.begin()
        try:
            outcomes = await self._attempt(copy, probe=probe, partial=partial)
        except ConversationBroken as broken:
            log.warning("upstream session broke", stage=broken.stage, reason=broken.reason)
            if probe:
                self._health.failed(probe=True)
            return _deferred(copy, "4.4.2", b"The mail server upstream ended the session")
        except OSError as error:  # of the content: all others are translated below
            log.error("a message cannot be read", problem=str(error), mend="look at the disk")
            return _deferred(copy, "4.3.0", b"The relay cannot read the message just now")
        finally:
            self._health.gave_up(probe=probe)
        self._learn(outcomes, probe=probe)
        return outcomes

    def close(self) -> None:
        """Says goodbye on every idle session."""
        for host in self._hosts:
            host.close()

    async def _attempt(self, copy: Copy, *, probe: bool, partial: bool) -> tuple[Outcome, ...]:
        outcomes, broke = _unreached(copy), None
        for host in self._in_order():
            async with host.gate.session(queued=partial):
                if self._health.is_away and not probe:  # it may have gone while this one waited
                    break
                try:
                    outcomes = await host.send(copy, partial=partial)
                except UpstreamError as error:
                    log.warning("upstream unreachable", problem=error.problem, mend=error.mend)
                except ConversationBroken as broken:
                    if broken.stage == "end":  # it may have been taken
                        raise
                    broke = broken
                else:
                    if not is_unreached(outcomes):
                        return outcomes
        if broke:
            raise broke
        return outcomes

    def _in_order(self) -> list[UpstreamSessions]:
        """Those worth a try; all of them if none is."""
        return [host for host in self._hosts if host.is_worth_a_try] or self._hosts

    def _learn(self, outcomes: tuple[Outcome, ...], *, probe: bool) -> None:
        if is_unreached(outcomes):
            if self._health.failed(probe=probe):
                log.error("upstream is away", upstream=self.name, mend="see its problem above")
                self.close()
        elif self._health.answered():
            log.info("upstream is back", upstream=self.name)
            for listener in tuple(self._listeners):
                listener()


def _unreached(copy: Copy) -> tuple[Outcome, ...]:
    return _all(Unreached, copy, "4.4.1", b"The mail server upstream cannot be reached")


def _deferred(copy: Copy, enhanced: str, text: bytes) -> tuple[Outcome, ...]:
    return _all(Deferred, copy, enhanced, text)


def _all(kind: type[Deferred], copy: Copy, enhanced: str, text: bytes) -> tuple[Outcome, ...]:
    return tuple(
        kind(
            recipient=recipient.address,
            code=451,
            enhanced=enhanced,
            text=text,
            ordinal=recipient.ordinal,
        )
        for recipient in copy.recipients
    )
