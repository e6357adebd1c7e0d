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
    *,
    name: str | None = None,
) -> web.StreamResponse:
    """Answers with all rows, as `send_file` does; the file is called as the path's end is, unless
    it has a `name`."""
    ending = next(each for each, named in FORMATS.items() if named == media_type)
    name = name or f"{request.path.rpartition('/')[2]}.{ending}"
    return await send_file(request, _write(chunks, media_type, row), media_type, name)


async def send_file(
    request: web.Request, pieces: AsyncIterator[str], media_type: str, name: str
) -> web.StreamResponse:
    """Answers with a file; what fails before its first piece raises, as in any answer.

    What fails later cuts the connection: a file that is not whole must not look so.
    """
    first = await anext(pieces, "")
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
        await response.write(first.encode())
        try:
            async for piece in pieces:
                await response.write(piece.encode())
        except BaseException:
            if request.transport:
                request.transport.abort()
            raise
    await response.write_eof()
    return response


async def _write(
    chunks: AsyncIterator[Sequence[BaseModel]], media_type: str, row: type[BaseModel]
) -> AsyncIterator[str]:
    head = write_head(row) if media_type == CSV else ""
    write = write_csv if media_type == CSV else write_ndjson
    async for chunk in chunks:
        yield head + write(chunk)
        head = ""
    if head:
        yield head


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
