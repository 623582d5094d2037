"""Which session an exchange belongs to, where that was corrected: the session that it began in, until it was moved."""

import sqlite3
from collections.abc import Sequence

import msgspec

from projections.exchange_rows import ExchangeRow

HOMES_TABLES = (
    "CREATE TABLE exchange_homes(exchange_id INTEGER NOT NULL, position INTEGER NOT NULL, session_id INTEGER NOT NULL,"
    " origin INTEGER NOT NULL, PRIMARY KEY(exchange_id, position)) STRICT, WITHOUT ROWID",
    "CREATE INDEX exchange_homes_of_session ON exchange_homes(session_id, exchange_id)",
    "CREATE INDEX exchange_homes_of_origin ON exchange_homes(origin)",
)
_NOW = (1 << 63) - 1


def home_condition(db: sqlite3.Connection, session_id: int) -> str | None:
    """What exchanges of the session fulfil as of `:at`, for `:session_id`; None where none was ever moved from it or
    to it, so that their own column says it."""
    moved = db.execute(
        "SELECT EXISTS(SELECT 1 FROM exchange_homes WHERE session_id = :id)"
        " OR EXISTS(SELECT 1 FROM exchange_homes WHERE origin = :id)",
        {"id": session_id},
    ).fetchone()[0]
    if not moved:
        return None
    return (
        "exchanges.exchange_id IN (SELECT exchange_id FROM exchanges WHERE session_id = :session_id"
        " UNION SELECT exchange_id FROM exchange_homes WHERE session_id = :session_id)"
        " AND :session_id = coalesce((SELECT h.session_id FROM exchange_homes h"
        " WHERE h.exchange_id = exchanges.exchange_id AND h.position <= :at ORDER BY h.position DESC LIMIT 1),"
        " exchanges.session_id)"
    )


def at_home(db: sqlite3.Connection, rows: Sequence[ExchangeRow], *, at: int) -> list[ExchangeRow]:
    """The exchanges with the session that they belonged to, and the one before that they were moved from."""
    if not db.execute("SELECT EXISTS(SELECT 1 FROM exchange_homes)").fetchone()[0]:
        return list(rows)
    return [_at_home(db, row, at) for row in rows]


def move(db: sqlite3.Connection, exchange_id: int, session_id: int, position: int) -> None:
    db.execute(
        "INSERT INTO exchange_homes SELECT exchange_id, ?, ?, session_id FROM exchanges WHERE exchange_id = ?",
        (position, session_id, exchange_id),
    )


def move_all(db: sqlite3.Connection, source_id: int, target_id: int, position: int) -> None:
    """Every exchange that belongs to a session now."""
    condition = home_condition(db, source_id) or "session_id = :session_id"
    values = {"session_id": source_id, "at": _NOW}
    found = db.execute(f"SELECT exchange_id FROM exchanges WHERE {condition}", values).fetchall()
    for (number,) in found:
        move(db, number, target_id, position)


def _at_home(db: sqlite3.Connection, row: ExchangeRow, at: int) -> ExchangeRow:
    homes = db.execute(
        "SELECT session_id FROM exchange_homes WHERE exchange_id = ? AND position <= ? ORDER BY position", (row.id, at)
    ).fetchall()
    if not homes:
        return row
    before = homes[-2][0] if len(homes) > 1 else row.session_id
    return msgspec.structs.replace(row, session_id=homes[-1][0], moved_from=before, origin=row.session_id)
