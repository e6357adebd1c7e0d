"""Rows reach the driver in the order of the statement's parameters, whatever the dialect's is."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from collector.bulk import Bulk

word = Table(
    "word",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as opened:
        word.create(opened)
        yield opened
    engine.dispose()


def rows(connection: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(select(word).order_by(word.c.id))]


def test_values_are_bound_by_their_names(connection: Connection) -> None:
    statement = insert(word).values(id=bindparam("id"), text=bindparam("text"))
    Bulk(statement, ["text", "id"]).run(connection, [("one", 1), ("two", 2)])
    assert rows(connection) == [(1, "one"), (2, "two")]


def test_a_name_may_stand_in_it_twice(connection: Connection) -> None:
    connection.execute(insert(word), [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}])
    statement = (
        update(word)
        .where(word.c.id == bindparam("which"))
        .values(text=bindparam("new") + word.c.text + bindparam("new"))
    )
    Bulk(statement, ["which", "new"]).run(connection, [(1, "x"), (2, "y")])
    assert rows(connection) == [(1, "xax"), (2, "yby")]


def test_one_name_is_enough(connection: Connection) -> None:
    Bulk(insert(word).values(text=bindparam("text")), ["text"]).run(connection, [("one",)])
    assert rows(connection) == [(1, "one")]


def test_no_rows_are_no_statement(connection: Connection) -> None:
    statement = insert(word).values(text=bindparam("text"))
    Bulk(statement, ["text"]).run(connection, [])
    assert rows(connection) == []


def test_what_the_database_refuses_comes_as_from_any_statement(connection: Connection) -> None:
    statement = insert(word).values(id=bindparam("id"), text=bindparam("text"))
    with pytest.raises(IntegrityError):
        Bulk(statement, ["id", "text"]).run(connection, [(1, "one"), (1, "again")])
