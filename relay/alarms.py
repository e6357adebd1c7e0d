"""What somebody has to look at: told once when it begins, shown for as long as it lasts."""

from dataclasses import dataclass

import structlog

from relay import metrics

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Alarm:
    """`problem` and `mend` are for the one who runs the relay."""

    problem: str
    mend: str


class Alarms:
    """By what they are about: "spool", "store", "held", an upstream's name."""

    def __init__(self) -> None:
        self._sounding: dict[str, Alarm] = {}

    @property
    def sounding(self) -> dict[str, str]:
        """What is wrong just now, as /health shows it."""
        return {what: alarm.problem for what, alarm in self._sounding.items()}

    def sound(self, what: str, problem: str, mend: str) -> None:
        """From now on, until it is cleared; in the log the first time."""
        if what not in self._sounding:
            log.error("alarm", what=what, problem=problem, mend=mend)
        self._sounding[what] = Alarm(problem, mend)
        metrics.ALARM.labels(what).set(1)

    def clear(self, what: str) -> None:
        """It is over."""
        if self._sounding.pop(what, None):
            log.info("alarm is over", what=what)
            metrics.ALARM.labels(what).set(0)
