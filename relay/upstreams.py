"""Where mail goes and as whom: a lane for each route, and one for each login passed through.

Whose mail goes which way is asked anew at every attempt, so that mended settings mend the queue. A
login that was passed through goes by its own name's route, whatever its mail says: its password is
for that host alone. It has sessions of its own, kept for half a minute after their last use, and
found by a keyed hash of the credentials, under a key that dies with this process. When the last one
goes, all that was known of the login goes with it.
"""

import asyncio
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from weakref import WeakValueDictionary

from relay.credentials import Credentials
from relay.envelope import Outgoing
from relay.gate import Gate
from relay.lane import Lane
from relay.oauth import TokenSource
from relay.upstream import LoginRefused, TokenOrigin, UpstreamError, UpstreamHost, UpstreamRoute

MAX_WAITING = 20  # logins; one that would wait longer is told so

_Place = tuple[str, int, int, Path | None]


class Upstreams:
    """All sessions: over at most its `connections` at once with each host.

    A mail takes the first route that fits. The last one is for everyone.
    """

    def __init__(self, routes: Sequence[UpstreamRoute]) -> None:
        self._own: dict[UpstreamRoute, Lane] = {}
        self._passed: WeakValueDictionary[bytes, Lane] = WeakValueDictionary()
        self._gates: dict[_Place, Gate] = {}
        self._tokens: dict[TokenOrigin, TokenSource] = {}
        self._secret = secrets.token_bytes(32)
        self._waiting = 0
        self.change(routes)

    def change(self, routes: Sequence[UpstreamRoute]) -> None:
        """From now on mail goes by these. What stays as it was keeps its sessions and its state.

        Who holds a lane that is gone should ask for the one of now.
        """
        hosts = [host for route in routes for host in route.hosts]
        self._gates = {(at := _place(host)): self._gate(at) for host in hosts}
        origins = [host.token for host in hosts if host.token]
        self._tokens = {each: self._tokens.get(each) or TokenSource(each) for each in origins}
        former, self._own = self._own, {}
        for route in routes:
            lane = former.pop(route) if route in former else self._lane(route)
            self._own[route] = lane
        for lane in (*former.values(), *self._passed.values()):
            lane.close()
        self._passed.clear()
        # Half of them at most: mail goes on, however many log in.
        self._logins = asyncio.Semaphore(max(1, routes[-1].hosts[0].connections // 2))

    def to(self, mail: Outgoing) -> Lane:
        """Where this mail goes. Who waits for a lane to come back has to hold it."""
        return self.lane(mail.route, mail.credentials)

    def lane(self, route: bytes, credentials: Credentials | None = None) -> Lane:
        """Where mail of this address goes by our own login, or this login's own."""
        return self._of(credentials) if credentials else self._own[self._route(route)]

    async def log_in(self, credentials: Credentials) -> None:
        """Sees that they are right, by a session that is kept for the mail to come.

        Raises LoginRefused where they are wrong, UpstreamError where nobody knows.
        """
        lane = self._of(credentials)
        if lane.is_proven:
            return
        if self._waiting >= MAX_WAITING:
            raise UpstreamError("too many logins wait for it", "raise upstream.connections")
        self._waiting += 1
        try:
            await self._logins.acquire()
        finally:
            self._waiting -= 1
        try:
            await lane.log_in()
        except LoginRefused:
            lane.close()  # what it was right for once is over
            raise
        finally:
            self._logins.release()

    def close(self) -> None:
        """Says goodbye on every idle session."""
        for lane in (*self._own.values(), *self._passed.values()):
            lane.close()

    def _of(self, credentials: Credentials) -> Lane:
        said = b"\0".join(
            [type(credentials).__name__.encode(), credentials.login, credentials.secret]
        )
        key = blake2b(said, key=self._secret).digest()
        lane = self._passed.get(key)
        if lane is None:
            lane = self._passed[key] = self._lane(self._route(credentials.login), credentials)
        return lane

    def _route(self, address: bytes) -> UpstreamRoute:
        text = address.decode("utf-8", "replace")
        return next(route for route in self._own if route.fits(text))

    def _lane(self, route: UpstreamRoute, credentials: Credentials | None = None) -> Lane:
        return Lane(
            route,
            gate_of=lambda host: self._gates[_place(host)],
            tokens=self._tokens.get(token) if (token := route.hosts[0].token) else None,
            credentials=credentials,
        )

    def _gate(self, place: _Place) -> Gate:
        gate = self._gates.get(place) or Gate(place[2])
        gate.context = None  # the authorities in its file may be others now
        return gate


def _place(host: UpstreamHost) -> _Place:
    """Routes with one host share its gate: the host counts all of our sessions."""
    return host.host, host.port, host.connections, host.ca_file
