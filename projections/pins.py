"""Pinned messages as versions."""

import sqlite3

import msgspec

from projections.declaration import Projection, on
from projections.paging import Page
from projections.sessions import erased_sql
from schema.compaction import MessagePinned, MessageUnpinned
from schema.erasure import SessionErased
from schema.forking import SessionForked
from schema.moving import SessionsMerged
from schema.recorded import Recorded

TABLES = (
    "CREATE TABLE pins("
    "session_id INTEGER NOT NULL, ref TEXT NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER,"
    " pinned_at INTEGER NOT NULL, reason TEXT, PRIMARY KEY(session_id, ref, from_position)) STRICT, WITHOUT ROWID",
)


class PinRow(msgspec.Struct, frozen=True, array_like=True):
    """`pinned_at` in ms since the epoch; `reason` is None once the session was `erased`."""

    ref: str
    pinned_at: int
    reason: str | None
    erased: int


def list_pins(db: sqlite3.Connection, session_id: int, *, at: int, limit: int, offset: int) -> Page[PinRow]:
    """Pinned last first."""
    where = "FROM pins WHERE session_id = ? AND from_position <= ? AND (to_position IS NULL OR to_position > ?)"
    shown = f"ref, pinned_at, reason, {erased_sql('pins.session_id')}"
    rows = db.execute(
        f"SELECT {shown} {where} ORDER BY from_position DESC LIMIT ? OFFSET ?",
        (session_id, at, at, limit, offset),
    )
    found = [PinRow(*row) for row in rows]
    (total,) = db.execute(f"SELECT count(*) {where}", (session_id, at, at)).fetchone()
    return Page(found, total)


def pinned_refs(db: sqlite3.Connection, session_id: int, *, at: int) -> frozenset[str]:
    rows = db.execute(
        "SELECT ref FROM pins WHERE session_id = ? AND from_position <= ? AND (to_position IS NULL OR to_position > ?)",
        (session_id, at, at),
    )
    return frozenset(row[0] for row in rows)


def _pinned(db: sqlite3.Connection, recorded: Recorded, event: MessagePinned) -> None:
    db.execute(
        "INSERT INTO pins VALUES (?, ?, ?, NULL, ?, ?)",
        (event.session_id, event.ref, recorded.position, recorded.timestamp, event.reason),
    )


def _unpinned(db: sqlite3.Connection, recorded: Recorded, event: MessageUnpinned) -> None:
    db.execute(
        "UPDATE pins SET to_position = ? WHERE session_id = ? AND ref = ? AND to_position IS NULL",
        (recorded.position, event.session_id, event.ref),
    )


def _merged(db: sqlite3.Connection, recorded: Recorded, event: SessionsMerged) -> None:
    """What was pinned in the parts is pinned in the whole."""
    for source in event.source_ids:
        db.execute(
            "INSERT OR IGNORE INTO pins SELECT ?, ref, ?, NULL, pinned_at, reason FROM pins p"
            " WHERE session_id = ? AND to_position IS NULL AND NOT EXISTS (SELECT 1 FROM pins t"
            " WHERE t.session_id = ? AND t.ref = p.ref AND t.to_position IS NULL)",
            (event.target_id, recorded.position, source, event.target_id),
        )


def _forked(db: sqlite3.Connection, recorded: Recorded, event: SessionForked) -> None:
    """Pinned as in the session that it goes on from."""
    reasons: list[str | None] = msgspec.json.decode(event.pin_reasons) if event.pin_reasons else []
    for number, ref in enumerate(event.pins):
        reason = reasons[number] if number < len(reasons) else None
        row = (event.session_id, ref, recorded.position, recorded.timestamp, reason)
        db.execute("INSERT INTO pins VALUES (?, ?, ?, NULL, ?, ?)", row)


def _erased(db: sqlite3.Connection, recorded: Recorded, event: SessionErased) -> None:
    db.execute("UPDATE pins SET reason = NULL WHERE session_id = ?", (event.session_id,))


PINS = Projection(
    name="pins",
    version=2,
    tables=TABLES,
    handles=dict(
        (
            on(MessagePinned, _pinned),
            on(MessageUnpinned, _unpinned),
            on(SessionsMerged, _merged),
            on(SessionForked, _forked),
            on(SessionErased, _erased),
        )
    ),
)
