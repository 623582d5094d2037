"""Finished exchanges of a span of time, as far as requests that somebody else wrote down can be told by them."""

import sqlite3

import msgspec

from projections.timeline import position_at_time

_COLUMNS = (
    "exchange_id, session_id, started_at, finished_at, model_requested, model_sent, model_answered, client_family,"
    " prompt_tokens, completion_tokens, coalesce(cached_tokens, 0), coalesce(cache_write_tokens, 0)"
)


class WireCall(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Times in ms since the epoch; tokens from the cache and to it are parts of the prompt's."""

    id: int
    session_id: int
    started_at: int
    finished_at: int
    model_requested: str | None
    model_sent: str
    model_answered: str | None
    client_family: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int = 0


def wire_calls(db: sqlite3.Connection, *, at: int, from_ms: int, to_ms: int, limit: int) -> list[WireCall]:
    """Those that were begun in the span and had ended by `at` with any usage, in their order."""
    low, high = position_at_time(db, from_ms - 1, at=at), position_at_time(db, to_ms, at=at)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM exchanges WHERE started_position > ? AND started_position <= ?"
        " AND finished_position <= ? AND prompt_tokens > 0 ORDER BY started_position LIMIT ?",
        (low, high, at, limit),
    )
    return [WireCall(*row) for row in rows]
