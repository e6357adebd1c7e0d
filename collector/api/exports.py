"""Lists as files: CSV for spreadsheets, NDJSON for programs, in pieces as they are read.

A spreadsheet takes a cell that begins with one of = + - @, a tab or a line break for a formula, and
what a mail says of itself is a stranger's. Such a cell gets an apostrophe before it.
"""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from collector.api.negotiation import CSV, FORMATS

# Also as wide as a Chinese character, which some programs take for the same.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def send(
    request: web.Request,
    chunks: AsyncIterator[Sequence[BaseModel]],
    media_type: str,
    row: type[BaseModel],
) -> web.StreamResponse:
    """Answers with all rows; what fails before the first of them raises, as in any answer.

    What fails later cuts the connection: a file that is not whole must not look so.
    """
    ending = next(each for each, named in FORMATS.items() if named == media_type)
    name = f"{request.path.rpartition('/')[2]}.{ending}"
    head = write_head(row) if media_type == CSV else ""
    write = write_csv if media_type == CSV else write_ndjson
    first = await anext(chunks, None) or ()
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "Vary": "Accept",
        }
    )
    await response.prepare(request)
    if request.method != "HEAD":
        await response.write((head + write(first)).encode())
        try:
            async for chunk in chunks:
                await response.write(write(chunk).encode())
        except BaseException:
            if request.transport:
                request.transport.abort()
            raise
    await response.write_eof()
    return response


def write_ndjson(rows: Iterable[BaseModel]) -> str:
    """An object a line."""
    return "".join(f"{row.model_dump_json()}\n" for row in rows)


def write_head(row: type[BaseModel]) -> str:
    """The names of the columns."""
    return _write_lines([list(_columns(row))])


def write_csv(rows: Iterable[BaseModel]) -> str:
    """RFC 4180: a line a row, its cells defused."""
    return _write_lines([[defuse(cell) for cell in _cells(row.model_dump())] for row in rows])


def defuse(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would compute."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _write_lines(lines: Iterable[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _columns(row: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """A field's name; of a model within, `field_name`."""
    for name, field in row.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _columns(kind, f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}"


def _cells(values: Mapping[str, Any]) -> Iterator[str]:
    for value in values.values():
        if isinstance(value, dict):
            yield from _cells(value)
        elif isinstance(value, list):
            yield ", ".join(value)
        elif isinstance(value, bool):
            yield "true" if value else "false"
        else:
            yield "" if value is None else str(value)
