"""Upkeep of events.sqlite in a thread of its own: inside a commit it would add an fsync to it.

Checkpoints of the write-ahead log, and a note of the log's last event in keys.sqlite, by which a log that was cut at
its end is found out.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from schema.keys import KeyStore

_EVERY_BYTES = 4 << 20
_NOTE_EVERY_S = 10.0
_BUSY_TIMEOUT_S = 1.0
_LAST = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"

_log = logging.getLogger("chronoproxy.log")


class Checkpointer:
    """Moves the WAL into events.sqlite after every 4 MiB of appended events, and all of it at the end; notes the head
    at the start, every ten seconds and at the end."""

    def __init__(self, path: Path, keys: KeyStore, *, note_every_s: float = _NOTE_EVERY_S) -> None:
        self._path = path
        self._keys = keys
        self._note_every_s = note_every_s
        self._due = threading.Event()
        self._full = False
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
            self._full = True
            self._due.set()

    def close(self) -> None:
        self._closing = True
        self._due.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        self._try(self._look_back)
        closing = False
        while not closing:
            self._due.wait(self._note_every_s)
            self._due.clear()
            closing = self._closing  # read once: the last checkpoint is the one that truncates
            if closing or self._full:
                self._full = False
                self._try(self._checkpoint, "TRUNCATE" if closing else "PASSIVE")
            self._try(self._note)

    def _try(self, work: Callable[..., None], *args: object) -> None:
        """Where the files cannot be used now, the next turn makes up for it."""
        try:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
            try:
                work(db, *args)
            finally:
                db.close()
        except sqlite3.Error:
            return

    def _checkpoint(self, db: sqlite3.Connection, mode: str) -> None:
        db.execute(f"PRAGMA wal_checkpoint({mode})")

    def _look_back(self, db: sqlite3.Connection) -> None:
        """Whether the log still holds what it ended with when it was last used."""
        for head in self._keys.noted_heads():
            row = db.execute("SELECT hash FROM events WHERE position = ?", (head.position,)).fetchone()
            if not head.missing and (row is None or bytes(row[0]) != head.hash):
                self._keys.miss_head(head.position)
                _log.error("event %d, the log's last one when it was last used, is not in it", head.position)
        self._note(db)

    def _note(self, db: sqlite3.Connection) -> None:
        row = db.execute(_LAST).fetchone()
        if row is not None and (row[0], bytes(row[1])) not in [head[:2] for head in self._keys.noted_heads()]:
            self._checkpoint(db, "PASSIVE")  # it must be on the disk before its note is
            self._keys.note_head(row[0], bytes(row[1]))
