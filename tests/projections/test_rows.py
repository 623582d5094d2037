"""Rows written together: the same as one by one, whatever their number, and None is NULL."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from projections.rows import Row, Rows

_INSERT = "INSERT INTO things(number, name, size) VALUES (?, ?, ?)"
_UPDATE = "UPDATE things SET name = ?, size = ? WHERE number = ?"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE things(number INTEGER PRIMARY KEY, name TEXT, size REAL) STRICT")
        yield db


def _all(db: sqlite3.Connection) -> list[Row]:
    return db.execute("SELECT number, name, size FROM things ORDER BY number").fetchall()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 63, 64, 65, 149])
def test_any_number_of_rows(count: int, db: sqlite3.Connection) -> None:
    wanted: list[Row] = [
        (number, None if number % 2 else f"thing {number}", None if number % 3 else 0.5) for number in range(count)
    ]
    rows = Rows(db, _INSERT)
    for row in wanted:
        rows.add(_INSERT, row)
    rows.write()
    assert _all(db) == wanted
    rows.write()  # they are not written again
    assert len(_all(db)) == count


def test_nothing_can_be_put_in_the_place_of_something(db: sqlite3.Connection) -> None:
    rows = Rows(db, _INSERT, _UPDATE)
    rows.add(_UPDATE, (None, None, 7))  # behind the inserts, whatever was added first
    rows.add(_INSERT, (7, "seven", 7.0))
    rows.write()
    assert _all(db) == [(7, None, None)]


def test_what_is_cleared_is_not_written(db: sqlite3.Connection) -> None:
    rows = Rows(db, _INSERT)
    rows.add(_INSERT, (1, "one", 1.0))
    rows.clear()
    rows.write()
    assert _all(db) == []
