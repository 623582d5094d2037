"""What became of each memory, as versions: the one that holds has no `to_position`."""

import sqlite3
from typing import Any

import msgspec

from schema.memory import MemoryType

VERSIONS_TABLES = (
    "CREATE TABLE memory_versions("
    "memory_id INTEGER NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER, session_id INTEGER NOT NULL,"
    " memory_type TEXT NOT NULL, access_count INTEGER NOT NULL, last_accessed_at INTEGER NOT NULL, gone TEXT,"
    " superseded_by INTEGER, PRIMARY KEY(memory_id, from_position)) STRICT, WITHOUT ROWID",
    "CREATE INDEX memory_versions_of_session ON memory_versions(session_id, access_count, memory_id)",
    "CREATE INDEX memory_versions_by_use ON memory_versions(access_count, memory_id, from_position, to_position, gone)",
)
_COLUMNS = "memory_id, from_position, session_id, memory_type, last_accessed_at, access_count, gone, superseded_by"
_SELECT = f"SELECT {_COLUMNS} FROM memory_versions WHERE to_position IS NULL AND "


class Version(msgspec.Struct, frozen=True, array_like=True):
    """`session_id` is whose it is; `gone` says why it is in no list: cleanup, compressed, asked, deleted or erased."""

    memory_id: int
    from_position: int
    session_id: int
    memory_type: MemoryType
    last_accessed_at: int
    access_count: int = 1
    gone: str | None = None
    superseded_by: int | None = None


def current(db: sqlite3.Connection, memory_id: int) -> Version | None:
    row = db.execute(f"{_SELECT} memory_id = ?", (memory_id,)).fetchone()
    return Version(*row) if row else None


def alive_of(db: sqlite3.Connection, session_id: int) -> list[Version]:
    rows = db.execute(f"{_SELECT} session_id = ? AND gone IS NULL ORDER BY memory_id", (session_id,))
    return [Version(*row) for row in rows.fetchall()]


def owned_by(db: sqlite3.Connection, session_id: int) -> list[Version]:
    """Also those that are gone."""
    return [
        Version(*row) for row in db.execute(f"{_SELECT} session_id = ? ORDER BY memory_id", (session_id,)).fetchall()
    ]


def begin(db: sqlite3.Connection, version: Version) -> None:
    """One event may change a memory twice: then it has one version of that position."""
    db.execute(
        f"INSERT OR REPLACE INTO memory_versions({_COLUMNS}) VALUES ({', '.join('?' * 8)})",
        msgspec.structs.astuple(version),
    )


def change(db: sqlite3.Connection, before: Version, position: int, **fields: Any) -> Version:
    """End the version that holds and begin the next one."""
    after = msgspec.structs.replace(before, from_position=position, **fields)
    db.execute(
        "UPDATE memory_versions SET to_position = ? WHERE memory_id = ? AND from_position = ?",
        (position, before.memory_id, before.from_position),
    )
    begin(db, after)
    return after
