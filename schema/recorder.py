"""events.sqlite: the DDL and the recorder that keeps stored events in clear columns.

A subclass of the library's SQLite recorder, so that everything above it knows only StoredEvents and Notifications. The
recorder adds what the library leaves open: positions without gaps, the hash chain, and blobs in a table whose rows may
be deleted (erasure), while triggers forbid to change or delete an event.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor, SQLiteDatastore

from schema import idempotency
from schema.codec import Header, Parted, State
from schema.inserting import insert_many
from schema.migrations import Migration, statements

GENESIS = bytes(32)
Head = tuple[int, bytes]  # position and hash of the last event

DDL = (
    "CREATE TABLE events("
    "position INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,"
    " type_version INTEGER NOT NULL, session_id INTEGER, exchange_id INTEGER, timestamp INTEGER NOT NULL,"
    " actor TEXT NOT NULL, by TEXT, correlation_id TEXT, causation_position INTEGER,"
    " hash BLOB NOT NULL, prev_hash BLOB NOT NULL, data TEXT NOT NULL, sealed BLOB, UNIQUE(stream, version)) STRICT",
    "CREATE INDEX events_of_session ON events(session_id, position) WHERE session_id IS NOT NULL",
    "CREATE INDEX events_of_exchange ON events(exchange_id) WHERE type = 'ExchangeStarted'",
    "CREATE TABLE blobs(position INTEGER PRIMARY KEY, session_id INTEGER NOT NULL, data BLOB NOT NULL) STRICT",
    "CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events"
    " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
    "CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events"
    " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
    *idempotency.DDL,
)
COLUMNS = (
    "position, stream, version, type, type_version, session_id, exchange_id, timestamp, actor, by, correlation_id,"
    " causation_position, hash, prev_hash, data, sealed"
)
INSERT = f"INSERT INTO events({COLUMNS}) VALUES ({','.join('?' * 16)})"
INSERT_BLOB = "INSERT INTO blobs VALUES (?, ?, ?)"

_encode = msgspec.json.Encoder().encode


MIGRATIONS = (Migration("the first format", statements(*DDL)),)


def chain_hash(prev_hash: bytes, position: int, stored: tuple[str, int, str], parts: State) -> bytes:
    """sha256 over the hash before, the position, (stream, version, type), header, data and sealed bytes.

    A blob is covered by its sha256 in the data, so the chain still holds when the blob was erased.
    """
    place = _encode((position, *stored))
    return hashlib.sha256(b"\n".join((prev_hash, place, parts.header, parts.data, parts.sealed))).digest()


def head_of(cursor: sqlite3.Cursor) -> Head:
    """Position and hash of the last event; (0, 32 zero bytes) for an empty log."""
    row = cursor.execute("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1").fetchone()
    return (row[0], bytes(row[1])) if row else (0, GENESIS)


def header_of(row: sqlite3.Row) -> Header:
    """The header that the columns of `row`, in the order of COLUMNS, came from."""
    return Header._make((*row[4:12], len(row[15] or b"")))


def parts_of(row: sqlite3.Row, blob: bytes = b"") -> State:
    """The stored parts that the columns of `row` came from."""
    return State(_encode(header_of(row)), row["data"].encode(), bytes(row["sealed"] or b""), blob)


class EventRecorder(SQLiteApplicationRecorder):
    """Stored events in `events` and `blobs`."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "events") -> None:
        super().__init__(datastore, events_table_name)
        # The library would switch the file to a write-ahead log, also one that is only read. That is a matter of
        # `bring_up_to_date`, and a copy may have none.
        datastore.pool.is_journal_mode_wal = True
        self.select_max_notification_id_statement = "SELECT MAX(position) FROM events"

    def construct_create_table_statements(self) -> list[str]:
        """None: the shape of the file is a matter of `MIGRATIONS`, before it is opened."""
        return []

    def insert_in(
        self, cursor: sqlite3.Cursor, events: Iterable[Parted], head: Head | None = None
    ) -> list[tuple[int, bytes, bytes]]:
        """Append inside the caller's transaction; (position, hash, previous hash) of each. `head` spares the question
        for it; a wrong one ends in an IntegrityError."""
        position, prev_hash = head or head_of(cursor)
        rows: list[tuple[Any, ...]] = []
        blobs: list[tuple[int, int | None, bytes]] = []
        placed: list[tuple[int, bytes, bytes]] = []
        for stream, version, type_name, header, parts in events:
            position += 1
            digest = chain_hash(prev_hash, position, (stream, version, type_name), parts)
            columns = (position, stream, version, type_name, *header[:-1])
            rows.append((*columns, digest, prev_hash, parts.data.decode(), parts.sealed or None))
            if parts.blob:
                blobs.append((position, header.session_id, parts.blob))
            placed.append((position, digest, prev_hash))
            prev_hash = digest
        insert_many(cursor, INSERT, rows)
        insert_many(cursor, INSERT_BLOB, blobs)
        return placed

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        return [position for position, _, _ in self.insert_in(c.sqlite_cursor, map(Parted.of, stored_events))]

    def select_events(
        self,
        originator_id: Any,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        order = "DESC" if desc else "ASC"
        query = f"{_SELECT} WHERE stream = ? AND version > ? AND version <= ? ORDER BY version {order} LIMIT ?"
        with self.datastore.transaction(commit=False) as c:
            c.execute(query, (originator_id, gt or 0, _MAX if lte is None else lte, -1 if limit is None else limit))
            return [
                StoredEvent(row["stream"], row["version"], row["type"], parts_of(row, row["blob"] or b"").joined())
                for row in c.fetchall()
            ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        first = (start or 0) if inclusive_of_start or start is None else start + 1
        marks = f" AND type IN ({','.join('?' * len(topics))})" if topics else ""
        query = f"{_SELECT} WHERE events.position >= ? AND events.position <= ?{marks} ORDER BY events.position LIMIT ?"
        with self.datastore.transaction(commit=False) as c:
            c.execute(query, (first, _MAX if stop is None else stop, *topics, limit))
            return [
                Notification(
                    id=row["position"],
                    originator_id=row["stream"],
                    originator_version=row["version"],
                    topic=row["type"],
                    state=parts_of(row, row["blob"] or b"").joined(),
                )
                for row in c.fetchall()
            ]


_MAX = (1 << 63) - 1
_SELECT = "SELECT events.*, blobs.data AS blob FROM events LEFT JOIN blobs USING (position)"
