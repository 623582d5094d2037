"""What the MCP servers in this process remember: histories of thoughts, what was laid by (as versions), and where the
originals of pruned texts are."""

import sqlite3

import msgspec

from projections.declaration import Projection, on
from projections.paging import Page
from projections.sessions import family
from schema.erasure import SessionErased
from schema.recorded import Recorded
from schema.server_state import ContextDeleted, ContextStored, ContextUpdated, TextPruned, ThoughtRecorded

TABLES = (
    "CREATE TABLE thoughts("
    "position INTEGER PRIMARY KEY, key TEXT NOT NULL, session_id INTEGER NOT NULL, number INTEGER NOT NULL,"
    " branch_from INTEGER, branch TEXT) STRICT",
    "CREATE INDEX thoughts_of_key ON thoughts(key, position)",
    "CREATE TABLE contexts("
    "context_id TEXT NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER, session_id INTEGER NOT NULL,"
    " content_position INTEGER NOT NULL, content_ref TEXT NOT NULL, is_json INTEGER NOT NULL,"
    " original_size INTEGER NOT NULL, compressed_size INTEGER NOT NULL, title TEXT, tags TEXT,"
    " stored_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, number INTEGER NOT NULL,"
    " PRIMARY KEY(context_id, from_position)) STRICT, WITHOUT ROWID",  # number: the position where it was stored
    "CREATE INDEX contexts_of_session ON contexts(session_id, number)",
    "CREATE TABLE prunings("
    "prune_id TEXT NOT NULL, position INTEGER NOT NULL, session_id INTEGER NOT NULL, ref TEXT NOT NULL,"
    " lines INTEGER NOT NULL, PRIMARY KEY(prune_id, position)) STRICT, WITHOUT ROWID",
)
_LIVING = "c.from_position <= :at AND (c.to_position IS NULL OR c.to_position > :at)"
_SHOWN = (
    "c.context_id, c.session_id, c.content_position, c.content_ref, c.is_json, c.original_size, c.compressed_size,"
    " c.title, c.tags, c.stored_at, c.updated_at"
)


class History(msgspec.Struct, frozen=True):
    """How many thoughts there are, and the names of their branches in the order of their beginning."""

    thoughts: int
    branches: tuple[str, ...]


class ContextRow(msgspec.Struct, frozen=True, array_like=True):
    """`content_position` is the event whose blob holds it; times in ms since the epoch; `tags` is a JSON array."""

    context_id: str
    session_id: int
    content_position: int
    content_ref: str
    is_json: int
    original_size: int
    compressed_size: int
    title: str | None
    tags: str | None
    stored_at: int
    updated_at: int


class PruningRow(msgspec.Struct, frozen=True, array_like=True):
    """`position` is the event whose blob holds the whole text."""

    position: int
    session_id: int
    ref: str
    lines: int


def thinking(db: sqlite3.Connection, key: str, *, at: int) -> History:
    (count,) = db.execute("SELECT count(*) FROM thoughts WHERE key = ? AND position <= ?", (key, at)).fetchone()
    rows = db.execute(
        "SELECT branch FROM thoughts WHERE key = ? AND position <= ? AND branch IS NOT NULL AND branch_from IS NOT NULL"
        " GROUP BY branch ORDER BY min(position)",
        (key, at),
    )
    return History(count, tuple(row[0] for row in rows))


def get_context(db: sqlite3.Connection, context_id: str, *, at: int) -> ContextRow | None:
    """Of any session: whoever knows the id was told it."""
    row = db.execute(
        f"SELECT {_SHOWN} FROM contexts c WHERE c.context_id = :id AND {_LIVING}", {"id": context_id, "at": at}
    ).fetchone()
    return ContextRow(*row) if row else None


def list_contexts(db: sqlite3.Connection, session_id: int, *, at: int, limit: int, offset: int) -> Page[ContextRow]:
    """Those of a session and its parts, stored last first."""
    where = f"c.session_id IN ({', '.join(map(str, family(db, session_id, at=at)))}) AND {_LIVING}"
    rows = db.execute(
        f"SELECT {_SHOWN} FROM contexts c WHERE {where} ORDER BY c.number DESC LIMIT :limit OFFSET :offset",
        {"at": at, "limit": limit, "offset": offset},
    )
    found = [ContextRow(*row) for row in rows]
    (total,) = db.execute(f"SELECT count(*) FROM contexts c WHERE {where}", {"at": at}).fetchone()
    return Page(found, total)


def find_prunings(db: sqlite3.Connection, prune_id: str, session_id: int, *, at: int) -> list[PruningRow]:
    """One for each session that pruned the same text in the same way: that of the session and its parts first, else the
    last first."""
    own = ", ".join(map(str, family(db, session_id, at=at)))
    rows = db.execute(
        "SELECT position, session_id, ref, lines FROM prunings WHERE prune_id = :id AND position <= :at"
        f" ORDER BY session_id IN ({own}) DESC, position DESC",
        {"id": prune_id, "at": at},
    )
    return [PruningRow(*row) for row in rows]


def _thought(db: sqlite3.Connection, recorded: Recorded, event: ThoughtRecorded) -> None:
    db.execute(
        "INSERT INTO thoughts VALUES (?, ?, ?, ?, ?, ?)",
        (recorded.position, event.key, event.session_id, event.number, event.branch_from, event.branch),
    )


def _stored(db: sqlite3.Connection, recorded: Recorded, event: ContextStored) -> None:
    db.execute(
        "INSERT INTO contexts VALUES (?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.context_id,
            recorded.position,
            event.session_id,
            recorded.position,
            event.content_ref,
            event.is_json,
            event.original_size,
            event.compressed_size,
            event.title,
            event.tags,
            recorded.timestamp,
            recorded.timestamp,
            recorded.position,
        ),
    )


def _updated(db: sqlite3.Connection, recorded: Recorded, event: ContextUpdated) -> None:
    """A version more: what the event does not say is as it was."""
    new = event.content_ref is not None
    db.execute(
        "INSERT INTO contexts SELECT context_id, :position, NULL, session_id,"
        " iif(:new, :position, content_position), coalesce(:ref, content_ref), iif(:new, :is_json, is_json),"
        " iif(:new, :original, original_size), iif(:new, :compressed, compressed_size), coalesce(:title, title),"
        " coalesce(:tags, tags), stored_at, :time, number FROM contexts"
        " WHERE context_id = :id AND to_position IS NULL",
        {
            "position": recorded.position,
            "new": new,
            "ref": event.content_ref,
            "is_json": event.is_json,
            "original": event.original_size,
            "compressed": event.compressed_size,
            "title": event.title,
            "tags": event.tags,
            "time": recorded.timestamp,
            "id": event.context_id,
        },
    )
    _close(db, recorded, event.context_id)


def _deleted(db: sqlite3.Connection, recorded: Recorded, event: ContextDeleted) -> None:
    _close(db, recorded, event.context_id)


def _close(db: sqlite3.Connection, recorded: Recorded, context_id: str) -> None:
    db.execute(
        "UPDATE contexts SET to_position = ? WHERE context_id = ? AND to_position IS NULL AND from_position < ?",
        (recorded.position, context_id, recorded.position),
    )


def _pruned(db: sqlite3.Connection, recorded: Recorded, event: TextPruned) -> None:
    db.execute(
        "INSERT INTO prunings VALUES (?, ?, ?, ?, ?)",
        (event.prune_id, recorded.position, event.session_id, event.text_ref, event.original_lines),
    )


def _erased(db: sqlite3.Connection, recorded: Recorded, event: SessionErased) -> None:
    db.execute("UPDATE thoughts SET branch = NULL WHERE session_id = ?", (event.session_id,))
    db.execute("UPDATE contexts SET title = NULL, tags = NULL WHERE session_id = ?", (event.session_id,))


SERVER_STATE = Projection(
    name="server_state",
    version=1,
    tables=TABLES,
    handles=dict(
        (
            on(ThoughtRecorded, _thought),
            on(ContextStored, _stored),
            on(ContextUpdated, _updated),
            on(ContextDeleted, _deleted),
            on(TextPruned, _pruned),
            on(SessionErased, _erased),
        )
    ),
)
