"""Statements that run with many rows at once.

SQLAlchemy compiles them, in the dialect of whichever database it is; the rows go straight to the
driver. By `Connection.execute` each row would become a dictionary, be processed value by value and
become a tuple again, which takes four times as long as the database does.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]


class Bulk:
    """One statement, whose bound parameters bear `names`, more than one."""

    def __init__(self, statement: ClauseElement, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._prepared: dict[str, tuple[str, Callable[[Row], Row]]] = {}

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Runs it with each row: values as the driver takes them, in the order of the names."""
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name not in self._prepared:
            self._prepared[dialect.name] = self._prepare(dialect)
        text, arrange = self._prepared[dialect.name]
        connection.exec_driver_sql(text, [arrange(row) for row in rows])

    def _prepare(self, dialect: Dialect) -> tuple[str, Callable[[Row], Row]]:
        """The statement's text, and how a row comes into the order of its parameters there."""
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        order = [self._names.index(name) for name in compiled.positiontup or ()]
        return compiled.string, itemgetter(*order) if len(order) > 1 else tuple
