"""The workspace's settings as versions: the configuration of each start, which session is active, and whether unknown
conversations start sessions."""

import sqlite3
from typing import Any

import msgspec

from projections.declaration import Projection, on
from schema.context import SanitizerDisabled, SanitizerEnabled
from schema.erasure import SessionErasureRequested
from schema.recorded import Recorded
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, ConfigurationLoaded, SessionActivated

TABLES = (
    "CREATE TABLE active_session(from_position INTEGER PRIMARY KEY, to_position INTEGER, session_id INTEGER) STRICT",
    "CREATE TABLE auto_session(from_position INTEGER PRIMARY KEY, to_position INTEGER, enabled INTEGER NOT NULL)"
    " STRICT",
    "CREATE TABLE sanitizer(from_position INTEGER PRIMARY KEY, to_position INTEGER, enabled INTEGER NOT NULL) STRICT",
    "CREATE TABLE configurations(from_position INTEGER PRIMARY KEY, loaded TEXT NOT NULL) STRICT",
)


class Configured(msgspec.Struct, frozen=True):
    """What a start was configured with, without secrets; `given` names what was set (as section.key)."""

    values: dict[str, Any] = {}
    given: tuple[str, ...] = ()


class CompactionDefaults(msgspec.Struct, frozen=True, array_like=True):
    """What holds for sessions where nobody has said otherwise."""

    enabled: bool = True
    auto: bool = True
    threshold: float = 0.85
    reserved_tokens: int = 0
    ready_percentage: int = 80


class Toggle(msgspec.Struct, frozen=True):
    """A global switch; `position` is that of the event that set it, None while it is as it was made."""

    enabled: bool
    position: int | None = None


def active_session_id(db: sqlite3.Connection, *, at: int) -> int | None:
    """The session that the dashboard looks at, or None before the first activation."""
    row = db.execute(
        "SELECT session_id FROM active_session WHERE from_position <= ? ORDER BY from_position DESC LIMIT 1", (at,)
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else None


def auto_session(db: sqlite3.Connection, *, at: int) -> Toggle:
    """Whether an unknown conversation starts a session of its own; on until switched off."""
    row = db.execute(
        "SELECT enabled, from_position FROM auto_session WHERE from_position <= ? ORDER BY from_position DESC LIMIT 1",
        (at,),
    ).fetchone()
    return Toggle(bool(row[0]), row[1]) if row else Toggle(True)


def sanitizer(db: sqlite3.Connection, *, at: int) -> Toggle | None:
    """The switch, None while nobody has touched it: then the configuration says."""
    row = db.execute(
        "SELECT enabled, from_position FROM sanitizer WHERE from_position <= ? ORDER BY from_position DESC LIMIT 1",
        (at,),
    ).fetchone()
    return Toggle(bool(row[0]), row[1]) if row else None


def configured(db: sqlite3.Connection, *, at: int) -> Configured:
    """The configuration in force; empty before the first start recorded one."""
    row = db.execute(
        "SELECT loaded FROM configurations WHERE from_position <= ? ORDER BY from_position DESC LIMIT 1", (at,)
    ).fetchone()
    return msgspec.json.decode(row[0], type=Configured) if row else Configured()


def compaction_defaults(db: sqlite3.Connection, *, at: int) -> CompactionDefaults:
    """Of the configuration in force."""
    row = db.execute(
        "SELECT loaded ->> '$.values.compaction.enabled', loaded ->> '$.values.compaction.auto.auto_compact',"
        " loaded ->> '$.values.compaction.auto.auto_compact_threshold',"
        " loaded ->> '$.values.compaction.reserved_tokens',"
        " loaded ->> '$.values.compaction.threshold_percentage' FROM configurations WHERE from_position <= ?"
        " ORDER BY from_position DESC LIMIT 1",
        (at,),
    ).fetchone()
    if row is None or row[0] is None:
        return CompactionDefaults()
    return CompactionDefaults(bool(row[0]), bool(row[1]), float(row[2]), int(row[3]), int(row[4]))


def _configured(db: sqlite3.Connection, recorded: Recorded, event: ConfigurationLoaded) -> None:
    loaded = msgspec.json.encode(Configured(event.values, event.given)).decode()
    db.execute("INSERT INTO configurations VALUES (?, ?)", (recorded.position, loaded))


def _activated(db: sqlite3.Connection, recorded: Recorded, event: SessionActivated) -> None:
    _replace(db, "active_session", recorded.position, event.session_id)


def _erased(db: sqlite3.Connection, recorded: Recorded, event: SessionErasureRequested) -> None:
    """No session is active any more, where it was that one."""
    if active_session_id(db, at=recorded.position) == event.session_id:
        _replace(db, "active_session", recorded.position, None)


def _enabled(db: sqlite3.Connection, recorded: Recorded, event: AutoSessionEnabled) -> None:
    _replace(db, "auto_session", recorded.position, 1)


def _disabled(db: sqlite3.Connection, recorded: Recorded, event: AutoSessionDisabled) -> None:
    _replace(db, "auto_session", recorded.position, 0)


def _sanitizer_on(db: sqlite3.Connection, recorded: Recorded, event: SanitizerEnabled) -> None:
    _replace(db, "sanitizer", recorded.position, 1)


def _sanitizer_off(db: sqlite3.Connection, recorded: Recorded, event: SanitizerDisabled) -> None:
    _replace(db, "sanitizer", recorded.position, 0)


def _replace(db: sqlite3.Connection, table: str, position: int, value: int | None) -> None:
    """End the version that holds and begin the next."""
    last = f"(SELECT max(from_position) FROM {table})"
    db.execute(f"UPDATE {table} SET to_position = ? WHERE from_position = {last}", (position,))
    db.execute(f"INSERT INTO {table} VALUES (?, NULL, ?)", (position, value))


WORKSPACE = Projection(
    name="workspace",
    version=4,
    tables=TABLES,
    handles=dict(
        (
            on(SessionActivated, _activated),
            on(SessionErasureRequested, _erased),
            on(AutoSessionEnabled, _enabled),
            on(AutoSessionDisabled, _disabled),
            on(ConfigurationLoaded, _configured),
            on(SanitizerEnabled, _sanitizer_on),
            on(SanitizerDisabled, _sanitizer_off),
        )
    ),
)
