"""Work for a thread that owns a connection, done between two of its own tasks."""

import queue
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future

_TRIES = 100
_PAUSE_S = 0.05
Work = Callable[[sqlite3.Connection], None]


class Chores:
    """Given from any thread, done by the owner of the connection."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Work, Future[None]]] = queue.SimpleQueue()

    def add(self, work: Work) -> "Future[None]":
        """Ends with `work`, or with the sqlite3.Error that it raised; it must raise nothing else."""
        done: Future[None] = Future()
        self._waiting.put((work, done))
        return done

    def do(self, db: sqlite3.Connection) -> None:
        """All that wait now."""
        while not self._waiting.empty():
            work, done = self._waiting.get()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                work(db)
            except sqlite3.Error as error:  # whoever asked for it gets it
                done.set_exception(error)
            else:
                done.set_result(None)

    def drop(self) -> None:
        """The owner ends: what waits is cancelled."""
        while not self._waiting.empty():
            self._waiting.get()[1].cancel()


def purge(db: sqlite3.Connection) -> None:
    """Leave no byte of what was deleted or changed, neither in the file nor in its write-ahead log, which can be
    emptied only while nobody reads. Raises sqlite3.Error."""
    db.execute("VACUUM")
    for _ in range(_TRIES):
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(_PAUSE_S)
    raise sqlite3.OperationalError("database is locked: somebody keeps reading an earlier state")


def vacuum(db: sqlite3.Connection) -> None:
    """Give the pages that hold nothing back to the disk, and empty the write-ahead log. Raises sqlite3.Error."""
    if db.execute("PRAGMA freelist_count").fetchone()[0]:
        db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
