"""How long after: spans of time in a person's words."""

from collections.abc import Sequence

from collector.pages.speech import say, say_number

SECOND_MS, MINUTE_MS = 1_000, 60_000


def _n(one: str, many: str) -> tuple[str, str]:
    return one, many


# The largest first; seconds in each.
_UNITS = (
    (31_536_000, _n("%(number)s year", "%(number)s years")),
    (2_592_000, _n("%(number)s month", "%(number)s months")),
    (604_800, _n("%(number)s week", "%(number)s weeks")),
    (86_400, _n("%(number)s day", "%(number)s days")),
    (3_600, _n("%(number)s hour", "%(number)s hours")),
    (60, _n("%(number)s minute", "%(number)s minutes")),
    (1, _n("%(number)s second", "%(number)s seconds")),
)


def spell(milliseconds: int) -> str:
    """A span as "2 minutes" or "1 hour", rounded down; less than a second is "a moment"."""
    seconds = max(0, milliseconds) // SECOND_MS
    for size, words in _UNITS:
        if count := seconds // size:
            return say_number(*words, count)
    return say("a moment")


def after_sent(at_ms: int, sent_at_ms: int) -> str:
    """As in "2 minutes after it was sent"; a clock that went backwards counts as a moment."""
    return say("%(time)s after it was sent", time=spell(at_ms - sent_at_ms))


def say_often(times: Sequence[int]) -> str:
    """As in "6 times within a minute", of at least two moments in their order."""
    span = times[-1] - times[0]
    if span <= MINUTE_MS:
        return say_number(
            "%(number)s time within a minute", "%(number)s times within a minute", len(times)
        )
    return say_number(
        "%(number)s time within %(span)s",
        "%(number)s times within %(span)s",
        len(times),
        span=_spell_up(span),
    )


def _spell_up(milliseconds: int) -> str:
    """Rounded up, so that "within" is true."""
    seconds = -(-milliseconds // SECOND_MS)
    size = next(size for size, _ in _UNITS if seconds >= size)
    return spell(-(-seconds // size) * size * SECOND_MS)
