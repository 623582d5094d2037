"""Many rows given to SQLite in one call.

Each call lets go of the interpreter lock, and beside a busy event loop waits for it again, which costs more than the
row itself. None costs sqlite3 a search for an adapter, four times what a string costs; NaN is a float, which it knows,
and SQLite stores it as NULL.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

_NULL = float("nan")
_SIZES = (32, 8, 2, 1)  # rows of one call; few sizes, so that statements stay prepared
_VALUES = " VALUES "


def insert_many(cursor: sqlite3.Cursor, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """`statement` inserts one row and ends in its VALUES. No value may be NaN."""
    first, left = 0, len(rows)
    for size in _SIZES:
        while left >= size:
            flat = [_NULL if value is None else value for row in rows[first : first + size] for value in row]
            cursor.execute(_of_many(statement, size), flat)
            first, left = first + size, left - size


@lru_cache(maxsize=32)
def _of_many(statement: str, rows: int) -> str:
    head, _, values = statement.partition(_VALUES)
    return f"{head}{_VALUES}{', '.join([values] * rows)}"
