"""Ledgers made in a home of their own, and read."""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ledgers.places import Machine, shelf
from ledgers.reading import Trouble, pieces
from ledgers.tasks import Task

AT = "2026-11-22T23:33:51.123Z"
AT_MS = 1_795_390_431_123


class Found(NamedTuple):
    tasks: list[Task]
    problems: list[str]
    errors: int


class Home:
    """A home directory, and what is read of it."""

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self.path = Path(os.path.realpath(path))
        self.machine = Machine(self.path, environment or {}, "linux")

    def read(self, kind: str, owners: Mapping[bytes, str] = MappingProxyType({})) -> Found:
        """All ledgers of a kind that are there; `owners` are the answers on record."""
        stand, trouble = shelf(self.machine), Trouble()
        tasks = [
            task
            for ledger in stand.ledgers
            if ledger.kind.name == kind and (ledger.path.exists() or ledger.path.is_symlink())
            for piece in pieces(ledger, stand.places, trouble, owners)
            for task in piece
        ]
        return Found(tasks, trouble.problems, trouble.errors)

    def write(self, place: str, text: str | bytes) -> Path:
        path = self.path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def lines(self, place: str, *values: Any) -> Path:
        """JSON lines."""
        return self.write(place, "".join(f"{json.dumps(value)}\n" for value in values))

    def json(self, place: str, value: Any) -> Path:
        return self.write(place, json.dumps(value))

    def database(self, place: str, *statements: str, rows: Iterable[tuple[str, tuple[Any, ...]]] = ()) -> Path:
        path = self.path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.execute(statement)
            for statement, values in rows:
                db.execute(statement, values)
            db.commit()
        return path


def numbers(task: Task) -> tuple[int, int, int, int]:
    return task.tokens_in, task.tokens_out, task.cache_read_tokens, task.cache_write_tokens
