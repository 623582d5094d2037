"""Rows that a batch of events leads to, written together: one statement for many rows costs less than many.

Each call of SQLite lets go of the interpreter lock, and beside a busy event loop waits for it again, which costs more
than the row itself: so many rows are given to one call. None costs sqlite3 a search for an adapter, four times what a
string costs; NaN is a float, which it knows, and SQLite stores it as NULL.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain

Row = tuple[object, ...]
NULL = float("nan")
_SIZES = (64, 16, 4, 1)  # rows of one call; few sizes, so that statements stay prepared
_VALUES = " VALUES "


class Rows:
    """Collected by statement; written in the order in which the statements were first used."""

    def __init__(self, db: sqlite3.Connection, *statements: str, full: Collection[str] = ()) -> None:
        """`statements` fixes the order of those that matter to each other; rows of those in `full` hold no None, or
        seldom."""
        self._cursor = db.cursor()
        self._full = frozenset(full)
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
                _insert(
                    self._cursor, statement, rows, chain.from_iterable if statement in self._full else _without_none
                )
            else:
                self._cursor.executemany(statement, [_without_none((row,)) for row in rows])
            rows.clear()

    def clear(self) -> None:
        for rows in self._rows.values():
            rows.clear()


def _insert(
    cursor: sqlite3.Cursor, statement: str, rows: Sequence[Row], values: Callable[[Sequence[Row]], Iterable[object]]
) -> None:
    """`statement` inserts one row and ends in its VALUES."""
    first, left = 0, len(rows)
    for size in _SIZES:
        text = _of_many(statement, size)
        while left >= size:
            cursor.execute(text, tuple(values(rows[first : first + size])))
            first, left = first + size, left - size


def _without_none(rows: Sequence[Row]) -> list[object]:
    return [NULL if value is None else value for row in rows for value in row]


@lru_cache(maxsize=256)
def _of_many(statement: str, rows: int) -> str:
    head, _, values = statement.partition(_VALUES)
    return f"{head}{_VALUES}{', '.join([values] * rows)}"
