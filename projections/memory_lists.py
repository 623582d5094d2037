"""Memories as of a position: one, a page of those that are used most, and what to say of them."""

import sqlite3
from collections.abc import Sequence

import msgspec

from projections.memory_totals import memory_totals
from projections.paging import Page
from projections.sessions import family
from schema.memory import MemoryType, Origin
from schema.recorded import Actor

_COLUMNS = (
    "m.memory_id, m.position, v.session_id, v.memory_type, m.content_ref, m.tokens, v.access_count,"
    " v.last_accessed_at, m.created_at, v.gone, v.superseded_by, m.origin, m.exchange_id, m.message_ref, m.supersedes,"
    " m.actor, m.made_by, m.preview, m.metadata, m.content, m.erased"
)
_FROM = "FROM memory_versions v JOIN memories m ON m.memory_id = v.memory_id"
_AT = "v.from_position <= :at AND (v.to_position IS NULL OR v.to_position > :at)"


class MemoryRow(msgspec.Struct, frozen=True, array_like=True):
    """A memory as of a position. `session_id` is whose it was, `position` that of its first event; times in ms since
    the epoch; `gone` says why it was in no list. Texts are None once it is `erased`."""

    id: int
    position: int
    session_id: int
    memory_type: MemoryType
    content_ref: str
    tokens: int
    access_count: int
    last_accessed_at: int
    created_at: int
    gone: str | None
    superseded_by: int | None
    origin: Origin
    exchange_id: int | None
    message_ref: str | None
    supersedes: str
    actor: Actor
    by: str | None
    preview: str | None
    metadata: str | None
    content: str | None
    erased: int


def get_memory(db: sqlite3.Connection, memory_id: int, *, at: int) -> MemoryRow | None:
    """Also one that is gone; None where it did not exist yet."""
    query = f"SELECT {_COLUMNS} {_FROM} WHERE v.memory_id = :id AND {_AT}"
    row = db.execute(query, {"id": memory_id, "at": at}).fetchone()
    return MemoryRow(*row) if row else None


def memories_at(db: sqlite3.Connection, positions: Sequence[int], *, at: int) -> dict[int, MemoryRow]:
    """Those that were stored by these events and are there, by their position."""
    found: dict[int, MemoryRow] = {}
    query = f"SELECT {_COLUMNS} FROM memories m JOIN memory_versions v ON v.memory_id = m.memory_id"
    for position in positions:
        where = f"WHERE m.position = :id AND v.gone IS NULL AND {_AT}"
        row = db.execute(f"{query} {where}", {"id": position, "at": at}).fetchone()
        if row is not None:
            found[position] = MemoryRow(*row)
    return found


def list_memories(
    db: sqlite3.Connection, *, at: int, session_id: int | None, min_access_count: int, limit: int, offset: int = 0
) -> Page[MemoryRow]:
    """Those that are used most first, then the newest."""
    where = f"v.access_count >= :least AND v.gone IS NULL AND {_AT}"
    if session_id is not None:
        where += " AND v.session_id = :session_id"
    values = {"at": at, "least": min_access_count, "session_id": session_id, "limit": limit, "offset": offset}
    order = "ORDER BY v.access_count DESC, v.memory_id DESC LIMIT :limit OFFSET :offset"
    rows = db.execute(f"SELECT {_COLUMNS} {_FROM} WHERE {where} {order}", values)
    found = [MemoryRow(*row) for row in rows]
    if min_access_count <= 1:  # none has fewer
        return Page(found, memory_totals(db, session_id, at=at).total)
    (total,) = db.execute(f"SELECT count(*) FROM memory_versions v WHERE {where}", values).fetchone()
    return Page(found, total)


def of_session(db: sqlite3.Connection, session_id: int, *, at: int, limit: int) -> list[MemoryRow]:
    """The newest of a session, in the order in which they were stored."""
    rows = db.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE v.session_id = :session_id AND v.gone IS NULL AND {_AT}"
        " ORDER BY v.memory_id DESC LIMIT :limit",
        {"session_id": session_id, "at": at, "limit": limit},
    ).fetchall()
    return [MemoryRow(*row) for row in reversed(rows)]


def older_than(db: sqlite3.Connection, before: int, accesses: int, *, at: int) -> list[int]:
    """Episodic memories of up to so many accesses that were stored up to a time."""
    rows = db.execute(
        f"SELECT v.memory_id {_FROM} WHERE v.access_count <= :most AND v.gone IS NULL AND v.memory_type = 'episodic'"
        f" AND m.created_at <= :before AND {_AT} ORDER BY v.memory_id",
        {"at": at, "before": before, "most": accesses},
    )
    return [int(row[0]) for row in rows]


def remembered_counts(db: sqlite3.Connection, sessions: Sequence[int], *, at: int) -> int:
    """How many memories of sessions hold a text."""
    marks = ", ".join("?" * len(sessions))
    query = f"SELECT count(*) FROM memories WHERE session_id IN ({marks}) AND content IS NOT NULL AND position <= ?"
    return int(db.execute(query, (*sessions, at)).fetchone()[0])


def scopes(db: sqlite3.Connection, session_id: int, *, at: int) -> tuple[int, ...]:
    """The sessions that the memories of a session were stored in."""
    return family(db, session_id, at=at)
