"""Running totals of a session: one row per event of its exchanges, so that any position is one lookup.

A session holds several chains of exchanges (main thread, sub-agents, title generation). An exchange continues the
chain of the exchange whose whole message list its own begins with; sharing less (a system prompt) begins a chain. The
session's context is that of its longest chain; a client that compacted its history by itself begins anew.
"""

import sqlite3

import msgspec

from projections.declaration import Projection, on
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
)
from schema.recorded import Recorded

TABLES = (
    "CREATE TABLE session_stats("
    "session_id INTEGER NOT NULL, position INTEGER NOT NULL, total_requests INTEGER NOT NULL,"
    " counted_requests INTEGER NOT NULL, max_tokens INTEGER, current_input_tokens INTEGER NOT NULL,"
    " current_output_tokens INTEGER NOT NULL, current_total_tokens INTEGER NOT NULL,"
    " cumulative_input_tokens INTEGER NOT NULL, cumulative_output_tokens INTEGER NOT NULL,"
    " cumulative_total_tokens INTEGER NOT NULL, context_tokens INTEGER NOT NULL, PRIMARY KEY(session_id, position))"
    " STRICT, WITHOUT ROWID",
    "CREATE TABLE exchange_chains(exchange_id INTEGER PRIMARY KEY, chain INTEGER NOT NULL, messages INTEGER NOT NULL)"
    " STRICT",
    "CREATE TABLE chain_tokens(session_id INTEGER NOT NULL, chain INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    " PRIMARY KEY(session_id, chain)) STRICT, WITHOUT ROWID",
)
_TOTALS = (
    "total_requests, counted_requests, max_tokens, current_input_tokens, current_output_tokens, current_total_tokens,"
    " cumulative_input_tokens, cumulative_output_tokens, cumulative_total_tokens, context_tokens"
)
_INSERT = f"INSERT INTO session_stats VALUES (?, ?, {', '.join('?' * len(_TOTALS.split(', ')))})"


class StatsRow(msgspec.Struct, frozen=True, array_like=True):
    """Totals of one session. `counted_requests` ended with known usage, measured or estimated; the others count as
    requests only. `current_*` is the last of the counted ones; `context_tokens` belongs to the longest chain."""

    total_requests: int = 0
    counted_requests: int = 0
    max_tokens: int | None = None
    current_input_tokens: int = 0
    current_output_tokens: int = 0
    current_total_tokens: int = 0
    cumulative_input_tokens: int = 0
    cumulative_output_tokens: int = 0
    cumulative_total_tokens: int = 0
    context_tokens: int = 0

    @property
    def avg_tokens(self) -> float | None:
        """Mean of the counted requests' totals."""
        return self.cumulative_total_tokens / self.counted_requests if self.counted_requests else None


def session_stats(db: sqlite3.Connection, session_id: int, *, at: int) -> StatsRow:
    """The session's totals, all zero before its first exchange; a deleted session keeps them."""
    row = db.execute(
        f"SELECT {_TOTALS} FROM session_stats WHERE session_id = ? AND position <= ? ORDER BY position DESC LIMIT 1",
        (session_id, at),
    ).fetchone()
    return StatsRow(*row) if row else StatsRow()


def _started(db: sqlite3.Connection, recorded: Recorded, event: ExchangeStarted) -> None:
    before = session_stats(db, event.session_id, at=recorded.position)
    if event.resolution.branch == "client_compaction":
        db.execute("DELETE FROM chain_tokens WHERE session_id = ?", (event.session_id,))
    received = event.received
    continued = None if event.resolution.branch == "fork" else received.base_exchange
    db.execute(
        "INSERT INTO exchange_chains VALUES (?1, coalesce((SELECT chain FROM exchange_chains WHERE exchange_id = ?2"
        " AND messages <= ?3), ?1), ?4)",
        (event.exchange_id, continued, received.keep, received.count),
    )
    _append(db, recorded, event.session_id, msgspec.structs.replace(before, total_requests=before.total_requests + 1))


def _finished(db: sqlite3.Connection, recorded: Recorded, event: Finished) -> None:
    usage = event.usage
    if usage.source == "none":
        return
    before = session_stats(db, event.session_id, at=recorded.position)
    used = usage.prompt_tokens + usage.completion_tokens
    total = usage.total_tokens or used
    after = StatsRow(
        total_requests=before.total_requests,
        counted_requests=before.counted_requests + 1,
        max_tokens=max(before.max_tokens or 0, total),
        current_input_tokens=usage.prompt_tokens,
        current_output_tokens=usage.completion_tokens,
        current_total_tokens=total,
        cumulative_input_tokens=before.cumulative_input_tokens + usage.prompt_tokens,
        cumulative_output_tokens=before.cumulative_output_tokens + usage.completion_tokens,
        cumulative_total_tokens=before.cumulative_total_tokens + total,
        context_tokens=_longest(db, event, used),
    )
    _append(db, recorded, event.session_id, after)


def _longest(db: sqlite3.Connection, event: Finished, tokens: int) -> int:
    """Note `tokens` for the exchange's chain; return the most that any chain of the session holds."""
    (chain,) = db.execute("SELECT chain FROM exchange_chains WHERE exchange_id = ?", (event.exchange_id,)).fetchone()
    db.execute("INSERT OR REPLACE INTO chain_tokens VALUES (?, ?, ?)", (event.session_id, chain, tokens))
    row = db.execute("SELECT max(tokens) FROM chain_tokens WHERE session_id = ?", (event.session_id,)).fetchone()
    return int(row[0] or 0)


def _append(db: sqlite3.Connection, recorded: Recorded, session_id: int, totals: StatsRow) -> None:
    db.execute(_INSERT, (session_id, recorded.position, *msgspec.structs.astuple(totals)))


SESSION_STATS = Projection(
    name="session_stats",
    version=1,
    tables=TABLES,
    handles=dict(
        (
            on(ExchangeStarted, _started),
            *(
                on(cls, _finished)
                for cls in (ExchangeCompleted, ExchangeFailed, ExchangeCancelled, ExchangeInterrupted)
            ),
        )
    ),
)
