"""Decisions as a CSV file, to hand over and to take over: what is written is read back the same.

A file is judged as a whole: every line that is wrong is named, with its mend. Pure.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from io import StringIO

from collector.consent import HOWS, How, Kind, check_address
from collector.decisions import Decision
from collector.schema import HIT_KINDS

COLUMNS = ("sender", "address", "kind", "decision", "at", "how", "text_version")
NEEDED = COLUMNS[:4]
KINDS: Mapping[str, Sequence[Kind]] = {**{kind: (kind,) for kind in HIT_KINDS}, "both": HIT_KINDS}
DECISIONS = {"granted": True, "refused": False}
MAX_VERSION = 100
AHEAD = timedelta(days=1)  # as far as clocks may differ

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """A decision as a line has it, for a sender who is still to be found by the login."""

    number: int
    login: str
    decision: Decision


class CsvError(ValueError):
    """What is wrong, one text a problem: where it is, and its mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def write_head() -> str:
    """The first line."""
    return _write(COLUMNS)


def write_line(login: str, decision: Decision) -> str:
    """A decision's line. One whose address was erased has none: nobody could read it."""
    return _write(
        (
            login,
            decision.address or "",
            decision.kind,
            "granted" if decision.granted else "refused",
            (_EPOCH + timedelta(milliseconds=decision.at_ms)).isoformat(timespec="milliseconds"),
            decision.how,
            decision.text_version or "",
        )
    )


def read_lines(texts: Iterable[str], now_ms: int) -> list[Line]:
    """All decisions of a file, in its order. `at` is now where a line leaves it out.

    Raises CsvError.
    """
    rows = csv.reader(texts, strict=True)
    problems: list[str] = []
    found: list[Line] = []
    try:
        names = _read_head(next(rows, []))
        for row in rows:
            if any(cell.strip() for cell in row):
                number = rows.line_num
                try:
                    found += _read_row(number, names, row, now_ms)
                except ValueError as error:
                    problems.append(f"line {number}: {error}")
    except csv.Error as error:
        problems.append(f"line {rows.line_num}: {error}; save it as CSV with commas, in UTF-8")
    if problems:
        raise CsvError(problems)
    return found


def _read_head(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    wanted = (
        f"the first line should be {','.join(COLUMNS)}; all behind the first four may be left out"
    )
    problems = [
        f"line 1: there is no column {name!r}: {wanted}" for name in NEEDED if name not in names
    ]
    for name in names:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1)
            mend = f"do you mean {near[0]!r}?" if near else "leave it out"
            problems.append(f"line 1: no column is called {name!r}; {mend}")
        elif names.count(name) > 1:
            problems.append(f"line 1: the column {name!r} stands there twice; leave one out")
    if problems:
        raise CsvError(list(dict.fromkeys(problems)))
    return names


def _read_row(number: int, names: Sequence[str], row: Sequence[str], now_ms: int) -> Iterator[Line]:
    if len(row) != len(names):
        raise ValueError(f"it has {len(row)} cells and not {len(names)}; quote those with commas")
    cells = dict.fromkeys(COLUMNS, "") | {
        name: cell.strip() for name, cell in zip(names, row, strict=True)
    }
    if not cells["sender"]:
        raise ValueError("it names no sender; write the login")
    address = check_address(cells["address"])
    granted = DECISIONS[_one_of("decision", cells["decision"], DECISIONS)]
    at_ms = _read_time(cells["at"], now_ms)
    how: How = HOWS[HOWS.index(_one_of("how", cells["how"] or "import", HOWS))]
    if len(cells["text_version"]) > MAX_VERSION:
        raise ValueError(f"its text_version is longer than {MAX_VERSION} characters; shorten it")
    for kind in KINDS[_one_of("kind", cells["kind"], KINDS)]:
        decision = Decision(
            sender_id=0,
            address=address,
            kind=kind,
            granted=granted,
            at_ms=at_ms,
            how=how,
            text_version=cells["text_version"] or None,
        )
        yield Line(number, cells["sender"], decision)


def _one_of(name: str, word: str, words: Iterable[str]) -> str:
    if word.lower() not in words:
        raise ValueError(f"its {name} is {word!r}; write {' or '.join(words)}")
    return word.lower()


def _read_time(text: str, now_ms: int) -> int:
    if not text:
        return now_ms
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        at_ms = (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise ValueError(
            f"its at is {text!r}; write it as 2026-11-28T21:30:00Z, or leave it out for now"
        ) from None
    if at_ms > now_ms + AHEAD // timedelta(milliseconds=1):
        raise ValueError(f"its at, {text!r}, lies ahead; nobody has decided that yet")
    return at_ms


def _write(cells: Sequence[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
