"""Calls of MCP servers, and how the servers are, as versions."""

import sqlite3

import msgspec

from projections.declaration import Projection, on
from projections.paging import Page
from projections.sessions import erased_sql, family
from schema.erasure import SessionErased
from schema.gateway import (
    BreakerOpened,
    McpCall,
    McpCallCompleted,
    McpCallFailed,
    McpCallRefused,
    McpServerCrashed,
    McpServerStarted,
)
from schema.recorded import Recorded

TABLES = (
    "CREATE TABLE mcp_calls("
    "position INTEGER PRIMARY KEY, session_id INTEGER NOT NULL, server TEXT NOT NULL, method TEXT NOT NULL, tool TEXT,"
    " status TEXT NOT NULL, outcome TEXT NOT NULL, code INTEGER, duration_ms REAL, bytes INTEGER NOT NULL,"
    " masks TEXT NOT NULL, timestamp INTEGER NOT NULL, correlation_id TEXT, arguments TEXT, error TEXT,"
    " rank INTEGER NOT NULL) STRICT",  # rank: the how-manieth of its server and outcome
    "CREATE INDEX mcp_calls_of_outcome ON mcp_calls(server, outcome, position, rank)",
    "CREATE INDEX mcp_calls_of_session ON mcp_calls(session_id, position)",
    "CREATE TABLE mcp_servers("
    "server TEXT NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER, starts INTEGER NOT NULL,"
    " crashes INTEGER NOT NULL, breaks INTEGER NOT NULL, failures INTEGER NOT NULL, last_started_at INTEGER,"
    " last_crashed_at INTEGER, broken_until INTEGER, protocol TEXT, PRIMARY KEY(server, from_position))"
    " STRICT, WITHOUT ROWID",
)
_SHOWN = (
    "position, session_id, server, method, tool, status, outcome, code, duration_ms, bytes, masks, timestamp,"
    f" correlation_id, arguments, error, {erased_sql('mcp_calls.session_id')}"
)
_ANSWERED = ("rpc_error", "cancelled", "client_left")  # failed, but not by the server
_PREVIEW = 200  # characters of the arguments
_STATE = "starts, crashes, breaks, failures, last_started_at, last_crashed_at, broken_until, protocol"


class McpCallRow(msgspec.Struct, frozen=True, array_like=True):
    """`status` is completed, failed or refused; `masks` a JSON array of hashes; `arguments` the beginning of what the
    tool was told, None like `error` once the session was `erased`."""

    position: int
    session_id: int
    server: str
    method: str
    tool: str | None
    status: str
    outcome: str
    code: int | None
    duration_ms: float | None
    bytes: int
    masks: str
    timestamp: int
    correlation_id: str | None
    arguments: str | None
    error: str | None
    erased: int


class McpServerRow(msgspec.Struct, frozen=True, array_like=True):
    """Times in ms since the epoch; `failures` are the calls without an answer, `broken_until` the end of the last time
    that its calls were refused."""

    starts: int = 0
    crashes: int = 0
    breaks: int = 0
    failures: int = 0
    last_started_at: int | None = None
    last_crashed_at: int | None = None
    broken_until: int | None = None
    protocol: str | None = None


def list_mcp_calls(
    db: sqlite3.Connection,
    *,
    at: int,
    server: str | None = None,
    tool: str | None = None,
    status: str | None = None,
    session_id: int | None = None,
    limit: int,
    offset: int,
) -> Page[McpCallRow]:
    """Newest first."""
    where, values = "position <= :at", {"at": at, "server": server, "tool": tool, "status": status}
    where += "".join(f" AND {name} = :{name}" for name in ("server", "tool", "status") if values[name] is not None)
    if session_id is not None:
        where += f" AND session_id IN ({', '.join(map(str, family(db, session_id, at=at)))})"
    rows = db.execute(
        f"SELECT {_SHOWN} FROM mcp_calls WHERE {where} ORDER BY position DESC LIMIT :limit OFFSET :offset",
        values | {"limit": limit, "offset": offset},
    )
    found = [McpCallRow(*row) for row in rows]
    (total,) = db.execute(f"SELECT count(*) FROM mcp_calls WHERE {where}", values).fetchone()
    return Page(found, total)


def mcp_outcomes(db: sqlite3.Connection, *, at: int) -> dict[tuple[str, str], int]:
    """How many calls of each server ended how; one lookup for each pair."""
    pairs = db.execute("SELECT DISTINCT server, outcome FROM mcp_calls").fetchall()
    found = {(server, outcome): _rank(db, server, outcome, at) for server, outcome in pairs}
    return {pair: count for pair, count in found.items() if count}


def mcp_servers(db: sqlite3.Connection, *, at: int) -> dict[str, McpServerRow]:
    """Those that something happened to."""
    rows = db.execute(
        f"SELECT server, {_STATE} FROM mcp_servers"
        " WHERE from_position <= ? AND (to_position IS NULL OR to_position > ?)",
        (at, at),
    )
    return {row[0]: McpServerRow(*row[1:]) for row in rows}


def _completed(db: sqlite3.Connection, recorded: Recorded, event: McpCallCompleted) -> None:
    _insert(db, recorded, event, "completed", event.duration_ms, event.bytes, event.masks)


def _failed(db: sqlite3.Connection, recorded: Recorded, event: McpCallFailed) -> None:
    _insert(db, recorded, event, "failed", event.duration_ms, event.bytes, event.masks)
    if event.outcome not in _ANSWERED:
        state = _current(db, event.server)
        _put(db, recorded, event.server, msgspec.structs.replace(state, failures=state.failures + 1))


def _refused(db: sqlite3.Connection, recorded: Recorded, event: McpCallRefused) -> None:
    _insert(db, recorded, event, "refused", None, 0, ())


def _insert(
    db: sqlite3.Connection,
    recorded: Recorded,
    event: McpCall,
    status: str,
    duration_ms: float | None,
    size: int,
    masks: tuple[str, ...],
) -> None:
    row = (
        recorded.position,
        event.session_id,
        event.server,
        event.method,
        event.tool,
        status,
        event.outcome,
        None if isinstance(event, McpCallCompleted) else event.code,
        duration_ms,
        size,
        msgspec.json.encode(masks).decode(),
        recorded.timestamp,
        recorded.correlation_id,
        event.arguments[:_PREVIEW] if event.arguments is not None else None,
        event.error_message if isinstance(event, McpCallFailed) else None,
        _rank(db, event.server, event.outcome, recorded.position) + 1,
    )
    db.execute(f"INSERT INTO mcp_calls VALUES ({', '.join('?' * len(row))})", row)


def _rank(db: sqlite3.Connection, server: str, outcome: str, at: int) -> int:
    row = db.execute(
        "SELECT rank FROM mcp_calls WHERE server = ? AND outcome = ? AND position <= ? ORDER BY position DESC LIMIT 1",
        (server, outcome, at),
    ).fetchone()
    return int(row[0]) if row else 0


def _started(db: sqlite3.Connection, recorded: Recorded, event: McpServerStarted) -> None:
    state = _current(db, event.server)
    changed = msgspec.structs.replace(
        state, starts=state.starts + 1, last_started_at=recorded.timestamp, protocol=event.protocol
    )
    _put(db, recorded, event.server, changed)


def _crashed(db: sqlite3.Connection, recorded: Recorded, event: McpServerCrashed) -> None:
    state = _current(db, event.server)
    changed = msgspec.structs.replace(state, crashes=state.crashes + 1, last_crashed_at=recorded.timestamp)
    _put(db, recorded, event.server, changed)


def _broken(db: sqlite3.Connection, recorded: Recorded, event: BreakerOpened) -> None:
    state = _current(db, event.server)
    until = recorded.timestamp + event.open_ms
    _put(db, recorded, event.server, msgspec.structs.replace(state, breaks=state.breaks + 1, broken_until=until))


def _current(db: sqlite3.Connection, server: str) -> McpServerRow:
    row = db.execute(f"SELECT {_STATE} FROM mcp_servers WHERE server = ? AND to_position IS NULL", (server,)).fetchone()
    return McpServerRow(*row) if row else McpServerRow()


def _put(db: sqlite3.Connection, recorded: Recorded, server: str, state: McpServerRow) -> None:
    db.execute(
        "UPDATE mcp_servers SET to_position = ? WHERE server = ? AND to_position IS NULL", (recorded.position, server)
    )
    db.execute(
        f"INSERT INTO mcp_servers(server, from_position, {_STATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (server, recorded.position, *msgspec.structs.astuple(state)),
    )


def _erased(db: sqlite3.Connection, recorded: Recorded, event: SessionErased) -> None:
    db.execute("UPDATE mcp_calls SET arguments = NULL, error = NULL WHERE session_id = ?", (event.session_id,))


GATEWAY = Projection(
    name="gateway",
    version=2,
    tables=TABLES,
    handles=dict(
        (
            on(McpCallCompleted, _completed),
            on(McpCallFailed, _failed),
            on(McpCallRefused, _refused),
            on(McpServerStarted, _started),
            on(McpServerCrashed, _crashed),
            on(BreakerOpened, _broken),
            on(SessionErased, _erased),
        )
    ),
)
