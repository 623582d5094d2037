"""A session's last requests, one after the other in their lines of conversation: for what is said of its context and
of the provider's cache."""

import sqlite3

import msgspec

from projections.exchange_rows import ExchangeRow
from projections.exchanges import exchange_refs, recent_metrics
from projections.session_stats import StatsRow, session_stats

_CHAIN = "SELECT chain FROM exchange_chains WHERE exchange_id = ?"
_TOTALS = (
    "SELECT total FROM exchange_chains WHERE chain = ? AND ended <= ? AND total IS NOT NULL"
    " ORDER BY exchange_id DESC LIMIT ?"
)


class Request(msgspec.Struct, frozen=True):
    """An exchange that ended, its chain, and the refs of its messages as they were received and as they were sent."""

    exchange: ExchangeRow
    chain: int
    received: tuple[str, ...]
    sent: tuple[str, ...]


class Pace(msgspec.Struct, frozen=True):
    """`totals` are the tokens of the context's line of conversation after each of its last exchanges, oldest first;
    `exchanges` the session's last ones, newest first."""

    stats: StatsRow
    totals: list[int]
    exchanges: list[ExchangeRow]


def last_requests(db: sqlite3.Connection, session_id: int, *, at: int, limit: int) -> list[Request]:
    """Oldest first. Exchanges that the provider never worked on are left out."""
    found = []
    for row in reversed(recent_metrics(db, session_id, at=at, limit=limit)):
        refs, chain = exchange_refs(db, row.id, at=at), db.execute(_CHAIN, (row.id,)).fetchone()
        if refs is not None and chain is not None and row.usage.source != "none":
            found.append(Request(row, int(chain[0]), *refs))
    return found


def pace(db: sqlite3.Connection, session_id: int, *, at: int, limit: int) -> Pace:
    """Of the last `limit` exchanges."""
    stats = session_stats(db, session_id, at=at)
    chain = db.execute(_CHAIN, (stats.context_exchange,)).fetchone()
    totals = db.execute(_TOTALS, (chain[0], at, limit)).fetchall() if chain is not None else []
    exchanges = [row for row in recent_metrics(db, session_id, at=at, limit=limit) if row.finished_at is not None]
    return Pace(stats, [int(total) for (total,) in reversed(totals)], exchanges)
