"""How long a session may take: pure, told the time and what came, it says when to look again.

Three measures (RFC 5321 §4.5.3.2 names the first): a silent client is given `idle` seconds, a
stranger a minute in all, and a message must come at some rate. While it is our turn (a password is
checked, a handshake is on, upstream has the mail) the client cannot be late.
"""

from dataclasses import dataclass, field

LOGIN_SECONDS = 60.0  # that a stranger may stay
MIN_RATE = 500  # octets a second that a message must bring, over each
WINDOW = 60.0  # seconds; an upload may stall for as long
OUR_TURN = 1.0  # seconds until the next look, while nothing is the client's


@dataclass(slots=True)
class Patience:
    """One session's. Times are seconds of one monotonic clock, `received` octets since its start.

    `idle` is what a client may be silent for, `started` when the session was opened.
    """

    idle: float
    started: float
    _since: float = field(init=False)
    _received: int = 0

    def __post_init__(self) -> None:
        self._since = self.started

    @property
    def first(self) -> float:
        """Seconds until the first look."""
        return min(self.idle, LOGIN_SECONDS)

    def begin(self, now: float, received: int) -> None:
        """The client's next turn begins: for a command, or for a message."""
        self._since, self._received = now, received

    def look(
        self, now: float, received: int, *, waiting: bool, in_message: bool, signed_in: bool
    ) -> float:
        """Seconds until the next look; 0 once it has taken too long. `waiting`: for the client."""
        if not waiting:
            return OUR_TURN
        if in_message:
            return self._look_at_rate(now, received)
        end = self._since + self.idle
        if not signed_in:
            end = min(end, self.started + LOGIN_SECONDS)
        return max(0.0, min(end - now, WINDOW))

    def _look_at_rate(self, now: float, received: int) -> float:
        window = min(self.idle, WINDOW)
        if now < self._since + window:
            return self._since + window - now
        if received - self._received < MIN_RATE * (now - self._since):
            return 0.0
        self.begin(now, received)
        return window
