"""A session's events as columns: what a chart draws, and a slider moves along."""

import sqlite3
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from projections.context_state import ContextState
from projections.session_costs import costs_so_far

T = TypeVar("T")

COMPACTIONS = frozenset(("CompactionPerformed", "CompressionPerformed", "CompactionReverted"))
_ROWS = (
    "SELECT t.position, t.timestamp, t.type, s.context_tokens, e.received_tokens,"
    " coalesce(e.sent_tokens, e.received_tokens), c.state, d.tokens_before, d.tokens_after FROM timeline t"
    " LEFT JOIN context_states c ON c.session_id = t.session_id AND c.position = t.position"
    " LEFT JOIN prefix_decisions d ON d.position = t.position AND d.copy_of IS NULL"
    " LEFT JOIN session_stats s ON s.session_id = t.session_id AND s.position = t.position"
    " LEFT JOIN exchanges e ON e.started_position = t.position"
    " WHERE t.session_id = ? AND t.position <= ? ORDER BY t.position"
)
_LAST = "SELECT max(position) FROM timeline WHERE session_id = ? AND position <= ?"


class TimelineColumns(msgspec.Struct, frozen=True):
    """All of one length. `timestamp` in ms since the epoch; `used` are the tokens in the context after the event;
    `saved` and `ratio` (percent, None where nothing) say what it took off a request or a context; `reserved` is None
    where nobody has set it; `cost` is that of the session so far, in micro-dollars, None while nothing has a price."""

    position: list[int]
    timestamp: list[int]
    type: list[str]
    used: list[int]
    saved: list[int]
    ratio: list[float | None]
    reserved: list[int | None]
    cost: list[int | None]


def last_position(db: sqlite3.Connection, session_id: int, *, at: int) -> int:
    """Of the last event about the session; 0 where there is none."""
    return db.execute(_LAST, (session_id, at)).fetchone()[0] or 0


def session_timeline(db: sqlite3.Connection, session_id: int, *, at: int) -> TimelineColumns:
    columns = TimelineColumns([], [], [], [], [], [], [], [])
    used, reserved, cost = 0, None, None
    costs = costs_so_far(db, session_id, at=at)
    for position, timestamp, name, tokens, received, sent, state, before, after in db.execute(_ROWS, (session_id, at)):
        used = used if tokens is None else tokens
        if state is not None:
            reserved = msgspec.json.decode(state, type=ContextState).reserved_tokens
        if before is not None:
            received, sent = before, after
        saved = received - sent if received is not None else 0
        columns.position.append(position)
        columns.timestamp.append(timestamp)
        columns.type.append(name)
        columns.used.append(used)
        columns.saved.append(saved)
        columns.ratio.append(round(100 * saved / received, 2) if saved and received else None)
        columns.reserved.append(reserved)
        cost = costs.get(position, cost)
        columns.cost.append(cost)
    return columns


def sampled(columns: TimelineColumns, points: int) -> TimelineColumns:
    """About `points` of them: the first and the last, of each stretch those with the fewest and the most tokens in
    use, and every compaction whatever their number."""
    total = len(columns.position)
    if total <= points:
        return columns
    kept = {0, total - 1} | {index for index, name in enumerate(columns.type) if name in COMPACTIONS}
    stretches = max((points - min(len(kept), points)) // 2, 1)
    used = columns.used
    for number in range(stretches):
        stretch = range(total * number // stretches, total * (number + 1) // stretches)
        kept.add(min(stretch, key=used.__getitem__))
        kept.add(max(stretch, key=used.__getitem__))
    chosen = sorted(kept)
    return TimelineColumns(
        _picked(columns.position, chosen),
        _picked(columns.timestamp, chosen),
        _picked(columns.type, chosen),
        _picked(columns.used, chosen),
        _picked(columns.saved, chosen),
        _picked(columns.ratio, chosen),
        _picked(columns.reserved, chosen),
        _picked(columns.cost, chosen),
    )


def _picked(column: Sequence[T], chosen: Sequence[int]) -> list[T]:
    return [column[index] for index in chosen]
