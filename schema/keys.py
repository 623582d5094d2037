"""keys.sqlite: the data key of each session and the secrets of this installation.

Contents in the log are encrypted with their session's key, so that destroying the key erases them from a log that is
only ever appended to. The file has mode 0600 and no master key: this serves erasure, not secrecy from the same account.
"""

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from schema.chores import vacuum
from schema.migrations import Migration, bring_up_to_date, check_readable, read_only_uri, statements
from schema.private import make_private

_DDL = (
    "CREATE TABLE session_keys(session_id INTEGER PRIMARY KEY, key BLOB NOT NULL, created_at INTEGER NOT NULL) STRICT",
    "CREATE TABLE secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
    "CREATE TABLE heads(position INTEGER NOT NULL, hash BLOB NOT NULL, noted_at INTEGER NOT NULL,"
    " missing INTEGER NOT NULL) STRICT",
)
MIGRATIONS = (Migration("the first format", statements(*_DDL)),)
KEY_BYTES = 32
# what a server takes from here, all made at its start: the log then names them (schema/named_secrets.py)
SECRETS = ("client keys", "idempotency keys", "mcp sessions", "message hashes")
LAST_EVENT = "last event"  # among the secrets: the hash of the head that was noted last, so that a note is missed
_PAGE_SIZE = 512  # a few rows in a few tables, each of which takes a page at least
_CACHED_KEYS = 10_000
Statement = tuple[str, tuple[object, ...]]


class NotedHead(NamedTuple):
    """A last event of the log that was seen. `noted_at` in milliseconds since the epoch; `missing` says that a later
    start did not find it in the log any more: the log was cut, exchanged, or lost its end with the power."""

    position: int
    hash: bytes
    noted_at: int
    missing: bool


def check_name(secret: str) -> str:
    """Under which name, among the secrets, the sha256 of a secret stands."""
    return f"sha256 of {secret}"


def stored_keys(path: Path) -> dict[int, tuple[bytes, int]]:
    """The key of every session, and when it was made (ms since the epoch). Raises sqlite3.Error."""
    with closing(sqlite3.connect(read_only_uri(path), uri=True)) as db:
        rows = db.execute("SELECT session_id, key, created_at FROM session_keys ORDER BY session_id").fetchall()
    return {number: (bytes(key), created_at) for number, key, created_at in rows}


class KeyStore:
    """The keys, usable from any thread; one connection behind a lock."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 1.0, read_only: bool = False) -> None:
        """With `read_only` nothing is ever written, and the file must be there."""
        self.path = path
        self._lock = threading.Lock()
        self._cache: dict[int, bytes] = {}
        if read_only:
            check_readable(path, MIGRATIONS)
        else:
            make_private(path)
            bring_up_to_date(path, MIGRATIONS, page_size=_PAGE_SIZE)
        where = read_only_uri(path) if read_only else path.absolute().as_uri()
        self._db = sqlite3.connect(
            where, uri=True, isolation_level=None, check_same_thread=False, timeout=busy_timeout_s
        )
        if not read_only:
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")

    def secret(self, name: str) -> bytes:
        """A secret of this installation, 32 random bytes made at its first use, with their sha256 beside them."""
        with self._lock:
            query = "SELECT name, value FROM secrets WHERE name IN (?, ?)"
            found = {row[0]: bytes(row[1]) for row in self._db.execute(query, (name, check_name(name)))}
            value = found.get(name) or secrets.token_bytes(KEY_BYTES)
            rows = {name: value, check_name(name): hashlib.sha256(value).digest()}
            if not found.keys() >= rows.keys():  # else a file that another program locks is good enough
                self._transaction(("INSERT OR IGNORE INTO secrets VALUES (?, ?)", each) for each in rows.items())
            return value

    def digests(self) -> dict[str, str]:
        """The sha256 (64 hex) of every one of SECRETS, made where it is not there yet."""
        return {name: hashlib.sha256(self.secret(name)).hexdigest() for name in SECRETS}

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
            self._transaction(("INSERT INTO session_keys VALUES (?, ?, ?)", row) for row in made)

    def take(self, session_id: int, key: bytes, created_at: int) -> None:
        """Keep a key of elsewhere. Raises sqlite3.Error where there is one."""
        with self._lock:
            self._db.execute("INSERT INTO session_keys VALUES (?, ?, ?)", (session_id, key, created_at))

    def take_secret(self, name: str, value: bytes) -> None:
        """Keep a secret of elsewhere. Raises sqlite3.Error where there is one."""
        with self._lock:
            self._db.execute("INSERT INTO secrets VALUES (?, ?)", (name, value))

    def destroy(self, session_id: int) -> str | None:
        """Destroy the session's key, here and in copies of earlier formats beside this file; its id (sha256, 64 hex),
        None where there was none. Done twice it does no harm. Raises sqlite3.Error."""
        with self._lock:
            key = self._key(session_id)
            self._cache.pop(session_id, None)
            self._transaction([("DELETE FROM session_keys WHERE session_id = ?", (session_id,))])
            vacuum(self._db)
        for copy in self.path.parent.glob(f"{self.path.stem}.format-*{self.path.suffix}"):
            with closing(sqlite3.connect(copy, isolation_level=None)) as db:
                db.execute("PRAGMA secure_delete=ON")
                db.execute("DELETE FROM session_keys WHERE session_id = ?", (session_id,))
                vacuum(db)
        return hashlib.sha256(key).hexdigest() if key is not None else None

    def note_head(self, position: int, digest: bytes) -> None:
        """Remember the log's last event instead of the one before, in a file beside the log (decisions 1.17)."""
        now = time.time_ns() // 1_000_000
        self._write(
            ("DELETE FROM heads WHERE missing = 0", ()),
            ("INSERT INTO heads VALUES (?, ?, ?, 0)", (position, digest, now)),
            ("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (LAST_EVENT, digest)),
        )

    def miss_head(self, position: int) -> None:
        """What was remembered is not in the log: keep it as evidence."""
        self._write(("UPDATE heads SET missing = 1 WHERE position = ?", (position,)))

    def lost_head(self, head: NotedHead) -> None:
        """Something else remembers an event that is not in the log: keep it as evidence."""
        self._write(
            ("DELETE FROM heads WHERE position = ? AND hash = ?", (head.position, head.hash)),
            ("INSERT INTO heads VALUES (?, ?, ?, 1)", (head.position, head.hash, head.noted_at)),
        )

    def noted_heads(self) -> list[NotedHead]:
        """The last event that was seen, and every one that went missing; by position."""
        with self._lock:
            rows = self._db.execute("SELECT position, hash, noted_at, missing FROM heads ORDER BY position").fetchall()
        return [NotedHead(row[0], bytes(row[1]), row[2], bool(row[3])) for row in rows]

    def vacuum(self) -> None:
        """Raises sqlite3.Error."""
        with self._lock:
            vacuum(self._db)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _write(self, *statements: Statement) -> None:
        with self._lock:
            self._transaction(statements)

    def _transaction(self, statements: Iterable[Statement]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for query, values in statements:
                self._db.execute(query, values)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise

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
