"""One spelling of each value, and no other."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from collector import schema, verdict
from collector.api import values
from collector.api.values import (
    Day,
    Flag,
    Instant,
    Kind,
    State,
    Verdict,
    midnight,
    read_id,
    to_ms,
    write_id,
    write_time,
)


def read(kind: Any, text: str) -> Any:
    return TypeAdapter(kind).validate_python(text)


@given(st.integers(0, values.LARGEST_ID))
def test_an_id_reads_back(number: int) -> None:
    assert read_id(write_id(number)) == number


def test_an_id_that_is_too_large_is_nobodys() -> None:
    assert read_id("f" * 16) == values.LARGEST_ID


@given(st.integers(0, 7_000_000_000_000))
def test_a_time_reads_back(at_ms: int) -> None:
    assert to_ms(read(Instant, write_time(at_ms))) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T08:30:00Z",
        "2026-07-01t08:30:00z",
        "2026-07-01T10:30:00+02:00",
        "2026-07-01T10:30:00 02:00",  # a "+" that nobody wrote as %2B
        "2026-07-01T03:30:00.000000000-05:00",
    ],
)
def test_times_that_are_one(text: str) -> None:
    assert read(Instant, text) == datetime(2026, 7, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Instant, "2026-07-01"),
        (Instant, "1751358600"),
        (Instant, "2026-07-01T08:30Z"),
        (Instant, "2026-W27-3T08:30:00Z"),
        (Instant, "٢026-07-01T08:30:00Z"),
        (Instant, "2026-07-01T08:30:00+25:00"),
        (Day, "2026-7-1"),
        (Day, "20260701"),
        (Day, "2026-02-30"),
        (Day, "2026-07-01T00:00:00Z"),
        (Flag, "True"),
        (Flag, "1"),
    ],
)
def test_other_spellings(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError, match="write"):
        read(kind, text)


@given(st.dates())
def test_midnight(day: date) -> None:
    assert midnight(day) == to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))
    assert read(Day, day.isoformat()) == day


def test_words_are_those_of_the_store() -> None:
    assert TypeAdapter(State).json_schema()["enum"] == list(schema.STATES)
    assert TypeAdapter(Kind).json_schema()["enum"] == list(schema.HIT_KINDS)
    assert TypeAdapter(Verdict).json_schema()["enum"] == list(verdict.KINDS)
