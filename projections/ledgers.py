"""What was imported from ledgers of clients: tasks as versions, what was read of each ledger, and which exchanges are
known to be the same requests."""

import sqlite3

import msgspec

from projections.declaration import Projection, on
from schema.ledgers import LedgerImported, TaskUsageImported
from schema.recorded import Recorded

MICRO = 1_000_000
TABLES = (
    "CREATE TABLE ledger_tasks("
    "tool TEXT NOT NULL, task_id TEXT NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER,"
    " imported_at INTEGER NOT NULL, ledger TEXT NOT NULL, ts INTEGER NOT NULL, started_at INTEGER, model_id TEXT,"
    " provider TEXT, parent_id TEXT, calls INTEGER, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,"
    " cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER,"
    " includes_cache INTEGER NOT NULL, total_cost REAL, cost_micro_usd INTEGER, precision TEXT NOT NULL,"
    " overlaps INTEGER NOT NULL, models TEXT, match_rule TEXT, match_calls INTEGER,"
    " matched_in INTEGER NOT NULL, matched_out INTEGER NOT NULL, matched_cost_micro_usd INTEGER NOT NULL,"
    " wire_in INTEGER NOT NULL, wire_out INTEGER NOT NULL, exchanges INTEGER NOT NULL,"
    " PRIMARY KEY(tool, task_id, from_position)) STRICT, WITHOUT ROWID",
    # cost_micro_usd: millionths of a dollar, so that sums are exact; wire_*: what the matched exchanges say
    "CREATE INDEX ledger_tasks_by_use ON ledger_tasks(tool, ts)",
    "CREATE INDEX ledger_tasks_by_time ON ledger_tasks(ts)",
    "CREATE TABLE ledger_matches("
    "exchange_id INTEGER NOT NULL, from_position INTEGER NOT NULL, to_position INTEGER, tool TEXT NOT NULL,"
    " task_id TEXT NOT NULL, PRIMARY KEY(exchange_id, from_position, tool, task_id)) STRICT, WITHOUT ROWID",
    "CREATE INDEX ledger_matches_of_task ON ledger_matches(tool, task_id)",
    "CREATE TABLE ledger_imports("
    "ledger TEXT NOT NULL, position INTEGER NOT NULL, imported_at INTEGER NOT NULL, tool TEXT NOT NULL,"
    " kind TEXT NOT NULL, rows INTEGER NOT NULL, skipped INTEGER NOT NULL, errors INTEGER NOT NULL,"
    " latest_ts INTEGER, problems TEXT NOT NULL, PRIMARY KEY(ledger, position)) STRICT, WITHOUT ROWID",
)
_INSERT = f"INSERT INTO ledger_tasks VALUES ({', '.join('?' * 31)})"
_encode = msgspec.json.Encoder().encode


def micro_usd(cost: float | None) -> int | None:
    """Millionths of a dollar."""
    return None if cost is None else round(cost * MICRO)


def _task(db: sqlite3.Connection, recorded: Recorded, event: TaskUsageImported) -> None:
    key, position = (event.tool, event.task_id), recorded.position
    for table in ("ledger_tasks", "ledger_matches"):
        db.execute(
            f"UPDATE {table} SET to_position = ? WHERE tool = ? AND task_id = ? AND to_position IS NULL",
            (position, *key),
        )
    db.execute(_INSERT, (*key, position, None, recorded.timestamp, *_values(event)))
    for number in dict.fromkeys(event.match.exchange_ids if event.match is not None else ()):
        db.execute("INSERT INTO ledger_matches VALUES (?, ?, NULL, ?, ?)", (number, position, *key))


def _values(event: TaskUsageImported) -> tuple[object, ...]:
    match = event.match
    matched = (
        (
            match.rule,
            match.calls,
            match.tokens_in,
            match.tokens_out,
            micro_usd(match.total_cost) or 0,
            match.wire_tokens_in,
            match.wire_tokens_out,
            len(match.exchange_ids),
        )
        if match is not None
        else (None, None, 0, 0, 0, 0, 0, 0)
    )
    return (
        event.ledger,
        event.ts,
        event.started_at,
        event.model_id,
        event.provider,
        event.parent_id,
        event.calls,
        event.tokens_in,
        event.tokens_out,
        event.cache_read_tokens,
        event.cache_write_tokens,
        event.reasoning_tokens,
        event.includes_cache,
        event.total_cost,
        micro_usd(event.total_cost),
        event.precision,
        event.overlaps,
        _encode(event.models).decode() if event.models else None,
        *matched,
    )


def _imported(db: sqlite3.Connection, recorded: Recorded, event: LedgerImported) -> None:
    db.execute(
        "INSERT INTO ledger_imports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.ledger,
            recorded.position,
            recorded.timestamp,
            event.tool,
            event.kind,
            event.rows,
            event.skipped,
            event.errors,
            event.latest_ts,
            _encode(event.problems).decode(),
        ),
    )


LEDGERS = Projection(
    name="ledgers",
    version=1,
    tables=TABLES,
    handles=dict((on(TaskUsageImported, _task), on(LedgerImported, _imported))),
)
