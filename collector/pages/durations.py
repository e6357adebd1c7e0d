"""How long after: spans of time in a person's words. Pure."""

_UNITS = (("year", 31_536_000), ("month", 2_592_000), ("week", 604_800), ("day", 86_400))
_CLOCK = (("hour", 3_600), ("minute", 60), ("second", 1))


def spell(milliseconds: int) -> str:
    """A span as "2 minutes" or "1 hour", rounded down; less than a second is "a moment"."""
    seconds = max(0, milliseconds) // 1000
    for name, size in _UNITS + _CLOCK:
        if count := seconds // size:
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return "a moment"


def after_sent(at_ms: int, sent_at_ms: int) -> str:
    """As in "2 minutes after it was sent"; a clock that went backwards counts as a moment."""
    return f"{spell(at_ms - sent_at_ms)} after it was sent"
