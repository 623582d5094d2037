"""Sums over the memories that are there, of each session and of all: one row per change, so that any position is one
lookup."""

import sqlite3

import msgspec

from projections.memory_versions import Version

ALL = 0  # in the place of a session
TOTALS_TABLE = (
    "CREATE TABLE memory_totals("
    "session_id INTEGER NOT NULL, position INTEGER NOT NULL, total INTEGER NOT NULL, frequent INTEGER NOT NULL,"
    " episodic INTEGER NOT NULL, semantic INTEGER NOT NULL, tokens INTEGER NOT NULL, accesses INTEGER NOT NULL,"
    " PRIMARY KEY(session_id, position)) STRICT, WITHOUT ROWID"
)
_SUMS = "total, frequent, episodic, semantic, tokens, accesses"


class MemoryTotals(msgspec.Struct, frozen=True, array_like=True):
    total: int = 0
    frequent: int = 0
    episodic: int = 0
    semantic: int = 0
    tokens: int = 0
    accesses: int = 0


def memory_totals(db: sqlite3.Connection, session_id: int | None, *, at: int) -> MemoryTotals:
    """Of a session, or of all that are not deleted."""
    row = db.execute(
        f"SELECT {_SUMS} FROM memory_totals WHERE session_id = ? AND position <= ? ORDER BY position DESC LIMIT 1",
        (ALL if session_id is None else session_id, at),
    ).fetchone()
    return MemoryTotals(*row) if row else MemoryTotals()


def add_totals(db: sqlite3.Connection, position: int, before: Version | None, after: Version, tokens: int) -> None:
    """A version took the place of another."""
    if before is not None:
        _add(db, before.session_id, position, _parts(before, tokens), -1)
        _add(db, ALL, position, _parts(before, tokens), -1)
    _add(db, after.session_id, position, _parts(after, tokens), 1)
    _add(db, ALL, position, _parts(after, tokens), 1)


def _parts(version: Version, tokens: int) -> MemoryTotals:
    if version.gone is not None:
        return MemoryTotals()
    kind = version.memory_type
    return MemoryTotals(1, kind == "frequent", kind == "episodic", kind == "semantic", tokens, version.access_count)


def _add(db: sqlite3.Connection, session_id: int, position: int, parts: MemoryTotals, sign: int) -> None:
    last = memory_totals(db, session_id or None, at=position)
    values = (
        held + sign * more
        for held, more in zip(msgspec.structs.astuple(last), msgspec.structs.astuple(parts), strict=True)
    )
    db.execute("INSERT OR REPLACE INTO memory_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (session_id, position, *values))
