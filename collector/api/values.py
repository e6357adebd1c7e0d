"""The values that requests and answers are made of: each has one spelling, and no other is taken.

What a query says is text, so pydantic would take "yes", "1" and "on" for true; here one form of
each value is right, the one that the OpenAPI document names.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from collector.api import cursors
from collector.filters import LARGEST_ID

ID_PATTERN = r"^[0-9a-f]{16}$"
EPOCH = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# An offset's "+" is a blank in a query, unless it is written as %2B.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d(?:\.\d+)?)(?:z|([+ -]\d\d:\d\d))", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}")


def write_id(message_id: int) -> str:
    """As the log and the queue show it."""
    return f"{message_id:016x}"


def write_time(at_ms: int) -> str:
    """RFC 3339, UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_time_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else write_time(at_ms)


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return (moment - _EPOCH) // _MILLISECOND


def read_id(text: str) -> int:
    """The number of what matches ID_PATTERN; the largest, which no message has, for larger ones."""
    return min(int(text, 16), LARGEST_ID)


def midnight(day: date) -> int:
    """When the day begins, by UTC, in milliseconds since the epoch."""
    return (day - EPOCH).days * 86_400_000


def _read_flag(text: Any) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("write true or false")
    return bool(text == "true")


def _read_number(text: Any) -> int:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ValueError("write a whole number")
    return int(text)


def _read_time(text: Any) -> datetime:
    found = _TIME.fullmatch(text.lower()) if isinstance(text, str) else None
    if found:
        with suppress(ValueError):  # the 31st of February
            return datetime.fromisoformat(found[1] + (found[2] or "Z").replace(" ", "+"))
    raise ValueError("write a time with its offset, as 2026-07-01T08:30:00Z")


def _read_date(text: Any) -> date:
    if isinstance(text, str) and _DATE.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise ValueError("write a date, as 2026-07-01")


# What a query says.
Flag = Annotated[bool, BeforeValidator(_read_flag)]
Limit = Annotated[int, Field(ge=1, le=200), BeforeValidator(_read_number)]
Instant = Annotated[datetime, BeforeValidator(_read_time)]
Day = Annotated[date, BeforeValidator(_read_date)]
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$")
]
SealedCursor = Annotated[str, StringConstraints(pattern=cursors.PATTERN)]

# What an answer says, and queries too.
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Kind = Literal["open", "click"]
How = Literal["notice", "import", "api", "command"]
State = Literal["sending", "delivered", "deferred", "refused", "queued"]
Verdict = Literal["unknown", "person", "proxy", "prefetch", "scanner", "preview", "tool", "self"]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
