"""Reading a SQLite file that another program may be writing to, without leaving a trace beside it.

Opening a file in WAL mode makes its `-wal` and `-shm` files where they are missing, and locks it. So where no such
file is there, nobody has it open, and it is read as a file that does not change (`immutable`); if it did change
meanwhile, it is read once more in the usual way. The file is not trusted: no view, function or trigger of it is run,
values are bounded, and a query that goes on for too long is stopped.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from ledgers.opening import RefusedError

T = TypeVar("T")
_LONGEST = 32 << 20  # of a value, in characters or bytes
_MOST_BYTES = 256 << 20  # of a value that is looked at: a longer one ends the reading
_STEPS = 10_000
_MOST_STEPS = 2_000_000_000  # of SQLite's machine: minutes
_BUSY_S = 2.0
_MAGIC = b"SQLite format 3\0"


class DatabaseError(Exception):
    """It cannot be read; the text says why."""


Query = Callable[[sqlite3.Connection], Iterator[T]]


def rows(path: Path, query: Query[T]) -> Iterator[T]:
    """What `query` yields of the file, which must be the real path. Raises DatabaseError and RefusedError, and what the
    query raises."""
    _check(path)
    quiet = not _has_log(path)
    before = _state(path)
    try:
        with closing(_connected(path, immutable=quiet)) as db:
            yield from query(db)
    except sqlite3.Error as error:
        if quiet and _state(path) != before:
            raise DatabaseError("was written to while it was read: try again") from None
        raise DatabaseError(f"cannot be read as a database: {_reason(error)}") from None
    if quiet and _state(path) != before:
        raise DatabaseError("was written to while it was read: try again")


def columns(db: sqlite3.Connection, table: str) -> set[str]:
    """Those of a table, none where there is no such table; a view is none."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if known is None:
        return set()
    return {str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")}


def selected(db: sqlite3.Connection, table: str, wanted: Sequence[str], order: str) -> Iterator[tuple[object, ...]]:
    """The wanted columns of a table, NULL for those that it lacks, a byte that is no text for a value that is too long;
    nothing where there is no such table."""
    there = columns(db, table)
    if order not in there:
        return
    names = ", ".join(_bounded(name) if name in there else "NULL" for name in wanted)
    yield from db.execute(f'SELECT {names} FROM "{table}" ORDER BY "{order}"')


def _bounded(name: str) -> str:
    return f"""CASE WHEN length("{name}") > {_LONGEST} THEN x'00' ELSE "{name}" END"""


def _check(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not path.is_file():
            raise RefusedError("is no regular file")
        if file.read(len(_MAGIC)) != _MAGIC:
            raise DatabaseError("is no SQLite database")
    for suffix in ("-wal", "-shm", "-journal"):
        if path.with_name(path.name + suffix).is_symlink():
            raise RefusedError(f"has a link as its {suffix} file")


def _has_log(path: Path) -> bool:
    return any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal"))


def _state(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return found.st_ino, found.st_size, found.st_mtime_ns, _has_log(path)


def _connected(path: Path, *, immutable: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    # a reading goes on in whatever thread is free
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
    try:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA query_only = ON")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        db.text_factory = _text
        db.set_progress_handler(_Patience(), _STEPS)
    except sqlite3.Error:
        db.close()
        raise
    return db


class _Patience:
    """Stops a query after so many steps; more tasks than anybody has are read in less."""

    def __init__(self) -> None:
        self._left = _MOST_STEPS // _STEPS

    def __call__(self) -> int:
        self._left -= 1
        return self._left < 0


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _reason(error: sqlite3.Error) -> str:
    """SQLite's name of the error: its text may quote the file."""
    return str(getattr(error, "sqlite_errorname", None) or type(error).__name__)
