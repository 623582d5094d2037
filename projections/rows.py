"""Rows that a batch of events leads to, written together: one statement for many rows costs less than many.

Each call of SQLite lets go of the interpreter lock, and beside a busy event loop waits for it again, which costs more
than the row itself: so many rows are given to one call. None costs sqlite3 a search for an adapter, four times what a
string costs; NaN is a float, which it knows, and SQLite stores it as NULL.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

Row = tuple[object, ...]
NULL = float("nan")
_SIZES = (64, 16, 4, 1)  # rows of one call; few sizes, so that statements stay prepared
_VALUES = " VALUES "


class Rows:
    """Collected by statement; written in the order in which the statements were first used."""

    def __init__(self, db: sqlite3.Connection, *statements: str) -> None:
        """`statements` fixes the order of those that matter to each other."""
        self._cursor = db.cursor()
        self._rows: dict[str, list[Row]] = {statement: [] for statement in statements}

    def of(self, statement: str) -> list[Row]:
        """Where the rows of a statement are collected: the same list until the end."""
        return self._rows[statement]

    def add(self, statement: str, row: Row) -> None:
        self._rows[statement].append(row)

    def write(self) -> None:
        for statement, rows in self._rows.items():
            if not rows:
                continue
            if _VALUES in statement:
                _insert(self._cursor, statement, rows)
            else:
                self._cursor.executemany(statement, [tuple(_without_none(row)) for row in rows])
            rows.clear()

    def clear(self) -> None:
        for rows in self._rows.values():
            rows.clear()


def _insert(cursor: sqlite3.Cursor, statement: str, rows: Sequence[Row]) -> None:
    """`statement` inserts one row and ends in its VALUES."""
    first, left = 0, len(rows)
    for size in _SIZES:
        text = _of_many(statement, size)
        while left >= size:
            flat = [NULL if value is None else value for row in rows[first : first + size] for value in row]
            cursor.execute(text, flat)
            first, left = first + size, left - size


def _without_none(row: Row) -> list[object]:
    return [NULL if value is None else value for value in row]


@lru_cache(maxsize=256)
def _of_many(statement: str, rows: int) -> str:
    head, _, values = statement.partition(_VALUES)
    return f"{head}{_VALUES}{', '.join([values] * rows)}"
