"""read.sqlite: opened, brought in line with the declared projections, and read through a pool.

Nothing in it is precious: a file that is damaged, or of another format, is deleted and built again from the log.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from projections import tracking
from projections.declaration import Log, Projection
from projections.trouble import is_environmental, is_locked
from projections.unreadable import UNREADABLE, can_be_read_now
from schema.keys import NotedHead
from schema.migrations import read_only_uri
from schema.private import make_private

FORMAT = 2  # of the tracking tables; kept as the file's user_version
_BUSY_TIMEOUT_S = 5.0
_STATEMENTS = 256

_log = logging.getLogger("chronoproxy.projections")
T = TypeVar("T")


class UnusableFileError(Exception):
    """The file cannot serve: damaged, or written by a newer or older program."""


class AtOutOfRangeError(Exception):
    """A position beyond the one that the read tables have reached."""

    def __init__(self, at: int, head: int) -> None:
        super().__init__(f"event {at} is not there yet, the head is {head}")
        self.at, self.head = at, head


class ReadStore(msgspec.Struct, frozen=True):
    """The one writing connection, and how far each projection was when the file was opened."""

    path: Path
    db: sqlite3.Connection
    positions: dict[str, int]

    def close(self) -> None:
        self.db.close()


def open_store(path: Path, projections: Sequence[Projection], log: Log, *, checked: bool = False) -> ReadStore:
    """Open or create read.sqlite. Outdated projections are emptied, an unusable file is replaced; both are then filled
    by the runner. A file that is `checked` is not read whole, which takes seconds for a gigabyte. One that another
    program holds locked is left to it: a new one takes its place.

    Raises sqlite3.OperationalError where the machine refuses (permissions, disk full)."""
    try:
        return _open(path, projections, log, checked=checked)
    except (sqlite3.Error, UnusableFileError) as error:
        if is_environmental(error) and not is_locked(error):
            raise
        _log.warning("read tables are built anew: %s", error)
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return _open(path, projections, log)


def _open(path: Path, projections: Sequence[Projection], log: Log, *, checked: bool = False) -> ReadStore:
    make_private(path)
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S, cached_statements=_STATEMENTS
    )
    with contextlib.ExitStack() as undo:
        undo.callback(db.close)
        _check(db, pages=not checked)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")  # names and previews stand here in clear; erasing must remove them
        positions = tracking.prepare(db, projections, log)
        if UNREADABLE in projections and (position := can_be_read_now(db, log)) is not None:
            raise UnusableFileError(f"event {position} can be read now, and could not be when they were made")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        undo.pop_all()
    return ReadStore(path, db, positions)


def _check(db: sqlite3.Connection, *, pages: bool) -> None:
    """Raises UnusableFileError or sqlite3.DatabaseError."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, FORMAT):  # 0: made a moment ago
        raise UnusableFileError(f"the file has format {version}, this program makes {FORMAT}")
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone() if pages else ("ok",)
    if verdict != "ok":
        raise UnusableFileError("the file is damaged")


def reached(path: Path) -> NotedHead | None:
    """The last event that the tables of a file have applied, noted when the file was written last. None where there are
    none that can be read."""
    try:
        with contextlib.closing(sqlite3.connect(read_only_uri(path), uri=True)) as db:
            row = db.execute(f"SELECT position, hash FROM {tracking.POSITIONS} ORDER BY position DESC").fetchone()
        noted_at = max(each.stat().st_mtime_ns for each in path.parent.glob(f"{path.name}*")) // 1_000_000
        return NotedHead(row[0], bytes.fromhex(row[1]), noted_at, missing=False) if row and row[0] else None
    except (sqlite3.Error, OSError, ValueError):
        return None


class Read(msgspec.Struct, Generic[T], frozen=True):
    """A query's answer: for position `at`, read when the tables had reached `head`."""

    value: T
    at: int
    head: int


class ReadPool:
    """Read-only connections and a thread for each. A query sees one state of all tables, whatever is written."""

    def __init__(self, path: Path, *, size: int = 2) -> None:
        """`path` must have been opened by `open_store` before."""
        self._path = path
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="read")
        self._size = size
        self._suspect: Callable[[sqlite3.DatabaseError], None] = lambda error: None
        self._idle: queue.SimpleQueue[sqlite3.Connection | None] = queue.SimpleQueue()  # None: to be opened
        for _ in range(size):
            self._idle.put(None)

    def tell(self, suspect: Callable[[sqlite3.DatabaseError], None]) -> None:
        """Call `suspect` whenever the file could not be read, with the reason. From the pool's threads."""
        self._suspect = suspect

    def swap(self, exchange: Callable[[], None]) -> None:
        """Run `exchange` while no connection is open; queries wait meanwhile and then see the new file. From any thread
        but the pool's own."""
        self._close_all()  # a running query gives its connection back first
        try:
            exchange()
        finally:
            for _ in range(self._size):
                self._idle.put(None)

    def _close_all(self) -> None:
        for _ in range(self._size):
            db = self._idle.get()
            if db is not None:
                db.close()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_TIMEOUT_S,
            cached_statements=_STATEMENTS,
        )

    async def run(self, query: Callable[..., T], *args: object, at: int | None = None, **kwargs: object) -> Read[T]:
        """`query(connection, *args, at=..., **kwargs)` inside one read transaction; without `at`, at the head.

        Raises AtOutOfRangeError, and what the query raises.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._answer, query, args, kwargs, at)

    def close(self) -> None:
        """Wait for running queries and close every connection."""
        self._executor.shutdown()
        self._close_all()

    def _answer(
        self, query: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object], at: int | None
    ) -> Read[T]:
        db = self._idle.get()  # there are as many connections as threads: it waits for a swap only
        try:
            db = db or self._open()
            db.execute("BEGIN")
            head = tracking.head(db)
            if at is not None and at > head:
                raise AtOutOfRangeError(at, head)
            position = head if at is None else at
            return Read(query(db, *args, at=position, **kwargs), position, head)
        except sqlite3.DatabaseError as error:
            self._suspect(error)
            raise
        finally:
            if db is not None:
                db.rollback()
            self._idle.put(db)


def row_count(db: sqlite3.Connection, *, at: int) -> dict[str, int]:
    """The rows of all tables of each projection."""
    return {
        name: sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tracked.tables.split())
        for name, tracked in tracking.read_all(db).items()
    }
