"""Rows that are inserted together are those that one by one would be."""

import sqlite3

import pytest

from schema.inserting import insert_many


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 33, 107])
def test_every_row_is_there_as_it_was(count: int) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t(a INTEGER NOT NULL, b TEXT, c BLOB, d REAL) STRICT")
    rows = [(number, None if number % 2 else f"text {number}", bytes([number]), None) for number in range(count)]
    insert_many(db.cursor(), "INSERT INTO t(a, b, c, d) VALUES (?,?,?,?)", rows)
    assert db.execute("SELECT a, b, c, d FROM t ORDER BY a").fetchall() == rows
    assert db.execute("SELECT DISTINCT typeof(d) FROM t").fetchall() == ([("null",)] if count else [])
    db.close()
