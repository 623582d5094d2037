"""What was imported from ledgers of clients: tasks as versions, what was read of each ledger, and which exchanges are
known to be the same requests; which answers a task held first; and what tasks count for, by hour and model."""

import base64
import sqlite3
from typing import Any

import msgspec

from projections.declaration import Projection, on
from projections.imported_parts import Part, micro_usd, parts
from schema.ledgers import ANSWER_BYTES, LedgerImported, TaskUsageImported
from schema.recorded import Recorded

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
    "CREATE TABLE ledger_parts("
    "tool TEXT NOT NULL, task_id TEXT NOT NULL, hour INTEGER NOT NULL, model TEXT NOT NULL, costed INTEGER NOT NULL,"
    " from_position INTEGER NOT NULL, to_position INTEGER, provider TEXT, calls INTEGER NOT NULL,"
    " input INTEGER NOT NULL, output INTEGER NOT NULL, cached INTEGER NOT NULL, cache_write INTEGER NOT NULL,"
    " reasoning INTEGER NOT NULL, cost INTEGER, since INTEGER NOT NULL,"
    " PRIMARY KEY(tool, task_id, hour, model, costed, from_position)) STRICT, WITHOUT ROWID",
    # model: '' where it is not known; costed: whether the client says what it cost, `cost` in millionths of a dollar;
    # since: the event whose book of prices holds where it does not
    "CREATE INDEX ledger_parts_by_hour ON ledger_parts(hour)",
    "CREATE TABLE ledger_answers("
    "tool TEXT NOT NULL, answer BLOB NOT NULL, position INTEGER NOT NULL, task_id TEXT NOT NULL,"
    " PRIMARY KEY(tool, answer)) STRICT, WITHOUT ROWID",  # which task held it first
    "CREATE TABLE ledger_imports("
    "ledger TEXT NOT NULL, position INTEGER NOT NULL, imported_at INTEGER NOT NULL, tool TEXT NOT NULL,"
    " kind TEXT NOT NULL, rows INTEGER NOT NULL, skipped INTEGER NOT NULL, errors INTEGER NOT NULL,"
    " latest_ts INTEGER, problems TEXT NOT NULL, PRIMARY KEY(ledger, position)) STRICT, WITHOUT ROWID",
)
_INSERT = f"INSERT INTO ledger_tasks VALUES ({', '.join('?' * 31)})"
_OPEN_PARTS = (
    "SELECT hour, model, calls, input, output, cached, cache_write, reasoning, cost, since, provider FROM ledger_parts"
    " WHERE tool = ? AND task_id = ? AND to_position IS NULL ORDER BY hour, model, costed"
)
_CLOSE_PART = (
    "UPDATE ledger_parts SET to_position = ? WHERE tool = ? AND task_id = ? AND hour = ? AND model = ? AND costed = ?"
    " AND to_position IS NULL"
)
_INSERT_PART = f"INSERT INTO ledger_parts VALUES ({', '.join('?' * 16)})"
_encode = msgspec.json.Encoder().encode


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
    db.executemany(
        "INSERT OR IGNORE INTO ledger_answers VALUES (?, ?, ?, ?)",
        [(event.tool, answer, position, event.task_id) for answer in _answers(event.answers or "")],
    )
    _parts(db, event, position)


def _answers(text: str) -> list[bytes]:
    """A text that is none tells of nothing."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return []
    return [data[start : start + ANSWER_BYTES] for start in range(0, len(data), ANSWER_BYTES)]


def _parts(db: sqlite3.Connection, event: TaskUsageImported, position: int) -> None:
    """Those that are as before stay as they are."""
    key = event.tool, event.task_id
    before = {(_part(row), row[-1]) for row in db.execute(_OPEN_PARTS, key)}
    now = {(part, event.provider) for part in parts(sorted((part for part, _ in before), key=_place), event, position)}
    for part, _ in before - now:
        db.execute(_CLOSE_PART, (position, *key, *_place(part)))
    for part, provider in sorted(now - before, key=lambda each: _place(each[0])):
        used = part.calls, part.input, part.output, part.cached, part.cache_write, part.reasoning, part.cost, part.since
        db.execute(_INSERT_PART, (*key, *_place(part), position, None, provider, *used))


def _part(row: tuple[Any, ...]) -> Part:
    hour, model, calls, taken, made, cached, written, reasoning, cost, since, _ = row
    return Part(
        hour=hour,
        model=model or None,
        calls=calls,
        input=taken,
        output=made,
        cached=cached,
        cache_write=written,
        reasoning=reasoning,
        cost=cost,
        since=since,
    )


def _place(part: Part) -> tuple[int, str, int]:
    return part.hour, part.model or "", int(part.cost is not None)


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
    version=3,
    tables=TABLES,
    handles=dict((on(TaskUsageImported, _task), on(LedgerImported, _imported))),
)
