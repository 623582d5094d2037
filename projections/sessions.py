"""Sessions as versions: each decision about a session ends the version that holds and begins the next one."""

import sqlite3

import msgspec

from projections.context_state import ContextState
from projections.declaration import Projection, on
from projections.paging import Page
from projections.workspace import CompactionDefaults, active_session_id, compaction_defaults
from schema.compaction import EVENTS as COMPACTION_EVENTS
from schema.compaction import AutoCompactionSkipped, CompressionFailed
from schema.erasure import SessionErased, SessionErasureRequested
from schema.forking import SessionForked
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import Origin, SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import SessionActivated

ERASED_NAME = "[erased]"

TABLES = (
    "CREATE TABLE session_versions("
    "session_id INTEGER NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER,"
    " created_position INTEGER NOT NULL, created_at INTEGER NOT NULL, name TEXT, name_folded TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT, origin TEXT NOT NULL, rule TEXT, parent_id INTEGER, client_family TEXT,"
    " deleted INTEGER NOT NULL, erased_at INTEGER, merged_into INTEGER,"
    " PRIMARY KEY(session_id, from_position)) STRICT, WITHOUT ROWID",
    # holds all that a list's WHERE asks, so that pages and totals touch no rows but those they show
    "CREATE INDEX sessions_by_creation ON session_versions("
    "created_position, from_position, to_position, deleted, name_folded)",
    "CREATE TABLE session_merges(source_id INTEGER NOT NULL, target_id INTEGER NOT NULL, position INTEGER NOT NULL,"
    " PRIMARY KEY(source_id, target_id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE session_counts(position INTEGER PRIMARY KEY, listed INTEGER NOT NULL) STRICT",
)
_SHOWN = (
    "session_id, name, provider, model, origin, rule, parent_id, client_family, created_at, deleted, from_position,"
    " erased_at, merged_into"
)
_STATE = (
    "(SELECT state FROM context_states c WHERE c.session_id = v.session_id AND c.position <= :at"
    " ORDER BY c.position DESC LIMIT 1)"
)
_LISTED = (
    "created_position <= :at AND from_position <= :at AND (to_position IS NULL OR to_position > :at) AND deleted = 0"
    # no session that is not erased is without a name; `name` itself is not in the index
    f" AND (:q = '' OR instr(CASE name_folded WHEN '' THEN '{ERASED_NAME}' ELSE name_folded END, :q) > 0)"
)


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session as of a position. `created_at` in ms since the epoch; `position` is that of the last decision about
    it; `name` is "[erased]" and `erased` true once its key was destroyed. `context` is the state of its context, for
    which `defaults` hold where nobody has said otherwise."""

    id: int
    name: str
    provider: str
    model: str | None
    origin: Origin
    rule: str | None
    parent_id: int | None
    client_family: str | None
    created_at: int
    is_active: bool
    position: int
    deleted: bool
    erased: bool
    erased_at: int | None
    merged_into: int | None
    context: ContextState
    defaults: CompactionDefaults

    @property
    def reserved_tokens(self) -> int:
        reserved = self.context.reserved_tokens
        return self.defaults.reserved_tokens if reserved is None else reserved

    @property
    def auto_compaction_enabled(self) -> bool:
        """The session's own switch."""
        return self.defaults.auto if self.context.auto is None else self.context.auto


def get_session(db: sqlite3.Connection, session_id: int, *, at: int) -> SessionRow | None:
    """The session, also a deleted one (`deleted` says so); None where it did not exist yet."""
    row = db.execute(
        f"SELECT {_SHOWN}, {_STATE} FROM session_versions v WHERE session_id = :session_id AND from_position <= :at"
        " ORDER BY from_position DESC LIMIT 1",
        {"session_id": session_id, "at": at},
    ).fetchone()
    return _session(row, active_session_id(db, at=at), compaction_defaults(db, at=at)) if row else None


def list_sessions(
    db: sqlite3.Connection, *, at: int, limit: int, offset: int = 0, q: str | None = None
) -> Page[SessionRow]:
    """Sessions that are not deleted, newest first; `q` is searched in their names, whatever the case."""
    values = {"at": at, "q": (q or "").casefold(), "limit": limit, "offset": offset}
    rows = db.execute(
        f"SELECT {_SHOWN}, {_STATE} FROM session_versions v WHERE {_LISTED}"
        " ORDER BY created_position DESC LIMIT :limit OFFSET :offset",
        values,
    ).fetchall()
    if values["q"]:
        (total,) = db.execute(f"SELECT count(*) FROM session_versions WHERE {_LISTED}", values).fetchone()
    else:
        total = _listed(db, at=at)
    active, defaults = active_session_id(db, at=at), compaction_defaults(db, at=at)
    return Page([_session(row, active, defaults) for row in rows], total)


def erased_sql(session: str) -> str:
    """SQL that is 1 where the contents of the session that `session` (SQL) names were erased, whatever the moment that
    is looked at; else 0."""
    return (
        f"coalesce((SELECT v.name IS NULL FROM session_versions v WHERE v.session_id = {session}"
        " ORDER BY v.from_position LIMIT 1), 0)"
    )


def family(db: sqlite3.Connection, session_id: int, *, at: int) -> tuple[int, ...]:
    """The session and all that had become parts of it."""
    found = [session_id]
    for number in found:
        rows = db.execute("SELECT source_id FROM session_merges WHERE target_id = ? AND position <= ?", (number, at))
        found += [int(row[0]) for row in rows]
    return tuple(found)


def session_names(db: sqlite3.Connection, *, at: int) -> dict[int, str]:
    """The name of every session that there was, also of deleted ones."""
    rows = db.execute(
        "SELECT session_id, name FROM session_versions WHERE from_position <= :at"
        " AND (to_position IS NULL OR to_position > :at)",
        {"at": at},
    )
    return {int(number): ERASED_NAME if name is None else str(name) for number, name in rows}


def session_parents(db: sqlite3.Connection, *, at: int) -> dict[int, int]:
    """The session that each sub-agent's or fork's session came from."""
    rows = db.execute(
        "SELECT session_id, parent_id FROM session_versions WHERE from_position <= :at"
        " AND (to_position IS NULL OR to_position > :at) AND parent_id IS NOT NULL",
        {"at": at},
    )
    return {int(number): int(parent) for number, parent in rows}


def sessions_by_provider(db: sqlite3.Connection, *, at: int) -> dict[str, int]:
    """How many sessions there were that were not deleted."""
    rows = db.execute(
        "SELECT provider, count(*) FROM session_versions WHERE from_position <= :at"
        " AND (to_position IS NULL OR to_position > :at) AND deleted = 0 GROUP BY provider ORDER BY provider",
        {"at": at},
    )
    return {str(provider): int(count) for provider, count in rows}


def _listed(db: sqlite3.Connection, *, at: int) -> int:
    """How many sessions there were that were not deleted, without counting them."""
    row = db.execute(
        "SELECT listed FROM session_counts WHERE position <= ? ORDER BY position DESC LIMIT 1", (at,)
    ).fetchone()
    return int(row[0]) if row else 0


def _session(row: tuple[object, ...], active: int | None, defaults: CompactionDefaults) -> SessionRow:
    *shown, state = row
    fields = dict(zip(_SHOWN.split(", "), shown, strict=True))
    number, name = fields.pop("session_id"), fields.pop("name")
    return msgspec.convert(
        {
            **fields,
            "id": number,
            "name": ERASED_NAME if name is None else name,
            "is_active": number == active,
            "position": fields["from_position"],
            "deleted": bool(fields["deleted"]),
            "erased": name is None,
            "context": msgspec.json.decode(state, type=ContextState) if isinstance(state, str) else ContextState(),
            "defaults": defaults,
        },
        SessionRow,
    )


def _started(db: sqlite3.Connection, recorded: Recorded, event: SessionStarted) -> None:
    db.execute(
        "INSERT INTO session_versions VALUES (?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL)",
        (
            event.session_id,
            recorded.position,
            recorded.position,
            recorded.timestamp,
            event.name,
            (event.name or "").casefold(),
            event.provider,
            event.model,
            event.origin,
            event.rule,
            event.parent_id,
            event.client_family,
        ),
    )
    _count(db, recorded.position, 1)


def _renamed(db: sqlite3.Connection, recorded: Recorded, event: SessionRenamed) -> None:
    _next_version(db, event.session_id, recorded.position)
    db.execute(
        "UPDATE session_versions SET name = ?, name_folded = ? WHERE session_id = ? AND from_position = ?",
        (event.to, (event.to or "").casefold(), event.session_id, recorded.position),
    )


def _activated(db: sqlite3.Connection, recorded: Recorded, event: SessionActivated) -> None:
    """Activation is a decision about the session, so its position moves; who is active is the workspace's to say."""
    _next_version(db, event.session_id, recorded.position)


def _decided(db: sqlite3.Connection, recorded: Recorded, event: Event) -> None:
    """A decision about its context: what it says stands in the tables of that (projections/compaction.py)."""
    if recorded.session_id is not None:
        _next_version(db, recorded.session_id, recorded.position)


def _merged(db: sqlite3.Connection, recorded: Recorded, event: SessionsMerged) -> None:
    _next_version(db, event.target_id, recorded.position)
    for number in event.source_ids:
        _next_version(db, number, recorded.position)
        db.execute(
            "UPDATE session_versions SET deleted = 1, merged_into = ? WHERE session_id = ? AND from_position = ?",
            (event.target_id, number, recorded.position),
        )
        db.execute("INSERT INTO session_merges VALUES (?, ?, ?)", (number, event.target_id, recorded.position))
    _count(db, recorded.position, -len(event.source_ids))


def _erasing(db: sqlite3.Connection, recorded: Recorded, event: SessionErasureRequested) -> None:
    _next_version(db, event.session_id, recorded.position)


def _erased(db: sqlite3.Connection, recorded: Recorded, event: SessionErased) -> None:
    """Its name is gone, also from earlier versions: as if they were made from the log now."""
    _next_version(db, event.session_id, recorded.position)
    db.execute("UPDATE session_versions SET name = NULL, name_folded = '' WHERE session_id = ?", (event.session_id,))
    db.execute(
        "UPDATE session_versions SET erased_at = ? WHERE session_id = ? AND from_position = ?",
        (event.erased_at, event.session_id, recorded.position),
    )


def _deleted(db: sqlite3.Connection, recorded: Recorded, event: SessionDeleted) -> None:
    _next_version(db, event.session_id, recorded.position)
    db.execute(
        "UPDATE session_versions SET deleted = 1 WHERE session_id = ? AND from_position = ?",
        (event.session_id, recorded.position),
    )
    _count(db, recorded.position, -1)


def _count(db: sqlite3.Connection, position: int, more: int) -> None:
    db.execute("INSERT INTO session_counts VALUES (?, ?)", (position, _listed(db, at=position) + more))


def _next_version(db: sqlite3.Connection, session_id: int, position: int) -> None:
    """End the session's version that holds and begin an equal one."""
    db.execute(
        "UPDATE session_versions SET to_position = ?2 WHERE session_id = ?1 AND from_position ="
        " (SELECT max(from_position) FROM session_versions WHERE session_id = ?1)",
        (session_id, position),
    )
    db.execute(
        "INSERT INTO session_versions SELECT session_id, ?2, NULL, created_position, created_at, name, name_folded,"
        " provider, model, origin, rule, parent_id, client_family, deleted, erased_at, merged_into"
        " FROM session_versions"
        " WHERE session_id = ?1 AND to_position = ?2",
        (session_id, position),
    )


SESSIONS = Projection(
    name="sessions",
    version=4,
    tables=TABLES,
    handles=dict(
        (
            on(SessionStarted, _started),
            on(SessionRenamed, _renamed),
            on(SessionActivated, _activated),
            on(SessionDeleted, _deleted),
            on(SessionErasureRequested, _erasing),
            on(SessionsMerged, _merged),
            on(ExchangeReassigned, _decided),
            on(SessionForked, _decided),
            on(SessionErased, _erased),
            *(on(cls, _decided) for cls in COMPACTION_EVENTS if cls not in (AutoCompactionSkipped, CompressionFailed)),
        )
    ),
)
