"""Checkpoints of the write-ahead log in a thread of their own: inside a commit they would add an fsync to it."""

import sqlite3
import threading
from pathlib import Path

_EVERY_BYTES = 4 << 20
_BUSY_TIMEOUT_S = 1.0


class Checkpointer:
    """Moves the WAL into events.sqlite after every 4 MiB of appended events, and all of it at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = threading.Event()
        self._closing = False
        self._since = 0
        self._thread = threading.Thread(target=self._run, name="log-checkpoints")

    def start(self) -> None:
        self._thread.start()

    def committed(self, state_bytes: int) -> None:
        """The writer's word that so many bytes were committed."""
        self._since += state_bytes
        if self._since >= _EVERY_BYTES:
            self._since = 0
            self._due.set()

    def close(self) -> None:
        self._closing = True
        self._due.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._due.wait()
            self._due.clear()
            closing = self._closing  # read once: the last checkpoint is the one that truncates
            self._checkpoint("TRUNCATE" if closing else "PASSIVE")

    def _checkpoint(self, mode: str) -> None:
        try:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
            try:
                db.execute(f"PRAGMA wal_checkpoint({mode})")
            finally:
                db.close()
        except sqlite3.Error:  # the WAL stays as it is; the next checkpoint takes it along
            return
