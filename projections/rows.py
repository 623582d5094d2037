"""Rows that a batch of events leads to, written together: one statement for many rows costs a third of many."""

import sqlite3

Row = tuple[object, ...]


class Rows:
    """Collected by statement; written in the order in which the statements were first used."""

    def __init__(self, db: sqlite3.Connection, *statements: str) -> None:
        """`statements` fixes the order of those that matter to each other."""
        self._db = db
        self._rows: dict[str, list[Row]] = {statement: [] for statement in statements}

    def of(self, statement: str) -> list[Row]:
        """Where the rows of a statement are collected: the same list until the end."""
        return self._rows[statement]

    def add(self, statement: str, row: Row) -> None:
        self._rows[statement].append(row)

    def write(self) -> None:
        for statement, rows in self._rows.items():
            if rows:
                self._db.executemany(statement, rows)
        self.clear()

    def clear(self) -> None:
        for rows in self._rows.values():
            rows.clear()
