"""How much of what went upstream came from memories: of a session, and of all."""

import sqlite3

import msgspec

from projections.exchange_lists import list_exchanges
from projections.exchange_rows import ExchangeRow
from projections.exchanges import recent_metrics
from projections.paging import Page


class SessionContext(msgspec.Struct, frozen=True):
    """Of a session's last request."""

    memory_tokens: int
    sent_tokens: int


def memory_history(db: sqlite3.Connection, session_id: int, *, at: int, limit: int, offset: int) -> Page[ExchangeRow]:
    """The session's exchanges, newest first."""
    return list_exchanges(db, at=at, session_id=session_id, limit=limit, offset=offset)


def contexts(db: sqlite3.Connection, *, at: int) -> list[SessionContext]:
    """Of each session that is not deleted and has asked for something."""
    rows = db.execute(
        "SELECT session_id FROM session_versions WHERE from_position <= :at"
        " AND (to_position IS NULL OR to_position > :at) AND deleted = 0 ORDER BY session_id",
        {"at": at},
    ).fetchall()
    last = (recent_metrics(db, number, at=at, limit=1) for (number,) in rows)
    return [SessionContext(row[0].memory_tokens, row[0].sent_tokens) for row in last if row]
