"""keys.sqlite: the data key of each session and the secrets of this installation.

Contents in the log are encrypted with their session's key, so that destroying the key erases them from a log that is
only ever appended to. The file has mode 0600 and no master key: this serves erasure, not secrecy from the same account.
"""

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

_DDL = (
    "CREATE TABLE IF NOT EXISTS session_keys(session_id INTEGER PRIMARY KEY, key BLOB NOT NULL, created_at INTEGER"
    " NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
)
KEY_BYTES = 32
_CACHED_KEYS = 10_000


class KeyStore:
    """The keys, usable from any thread; one connection behind a lock."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._cache: dict[int, bytes] = {}
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_timeout_s)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        for statement in _DDL:
            self._db.execute(statement)

    def secret(self, name: str) -> bytes:
        """A secret of this installation, 32 random bytes made at its first use."""
        with self._lock:
            value = secrets.token_bytes(KEY_BYTES)
            self._db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, value))
            row = self._db.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
            return bytes(row[0])

    def key(self, session_id: int) -> bytes | None:
        """The session's data key, or None where there is none (never made, or destroyed)."""
        with self._lock:
            return self._key(session_id)

    def ensure(self, session_ids: Iterable[int]) -> None:
        """Make the missing keys of these sessions and commit them; call before events that need them."""
        with self._lock:
            missing = [number for number in session_ids if self._key(number) is None]
            if not missing:
                return
            now = time.time_ns() // 1_000_000
            made = [(number, secrets.token_bytes(KEY_BYTES), now) for number in missing]
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT INTO session_keys VALUES (?, ?, ?)", made)
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _key(self, session_id: int) -> bytes | None:
        key = self._cache.get(session_id)
        if key is None:
            row = self._db.execute("SELECT key FROM session_keys WHERE session_id = ?", (session_id,)).fetchone()
            if row is None:
                return None
            key = bytes(row[0])
            if len(self._cache) >= _CACHED_KEYS:
                self._cache.clear()
            self._cache[session_id] = key
        return key
