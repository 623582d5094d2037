"""What was imported from ledgers, read: tasks, imports, and sums that count nothing twice.

What a task counts for is what it says less the part that went through this proxy (`matched_*`): that part is counted
by its exchanges. A task that others hold already (`overlaps`) counts for nothing.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from projections.bounds import exact_sums, whole_sums
from projections.paging import Page
from schema.ledgers import MatchRule, ModelUsage, Precision, Tool

_HOLDS = "from_position <= :at AND (to_position IS NULL OR to_position > :at)"
_COLUMNS = (
    "tool, task_id, imported_at, ledger, ts, started_at, model_id, provider, parent_id, calls, tokens_in, tokens_out,"
    " cache_read_tokens, cache_write_tokens, reasoning_tokens, includes_cache, total_cost, cost_micro_usd, precision,"
    " overlaps, models, match_rule, match_calls, matched_in, matched_out, matched_cost_micro_usd, wire_in, wire_out,"
    " exchanges"
)
_IMPORT_COLUMNS = (
    "ledger", "position", "imported_at", "tool", "kind", "rows", "skipped", "errors", "latest_ts", "problems",
)  # fmt: skip
_decode_problems = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_models = msgspec.json.Decoder(tuple[ModelUsage, ...]).decode


class TaskRow(msgspec.Struct, frozen=True, array_like=True):
    """A task as it was imported last; times in ms since the epoch, costs in USD and in millionths of a dollar."""

    tool: Tool
    task_id: str
    imported_at: int
    ledger: str
    ts: int
    started_at: int | None
    model_id: str | None
    provider: str | None
    parent_id: str | None
    calls: int | None
    tokens_in: int
    tokens_out: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int | None
    includes_cache: int
    total_cost: float | None
    cost_micro_usd: int | None
    precision: Precision
    overlaps: int
    models: str | None
    match_rule: MatchRule | None
    match_calls: int | None
    matched_in: int
    matched_out: int
    matched_cost_micro_usd: int
    wire_in: int
    wire_out: int
    exchanges: int

    def by_model(self) -> tuple[ModelUsage, ...]:
        """The shares of its models, where it used several."""
        return _decode_models(self.models) if self.models else ()


class PartRow(msgspec.Struct, frozen=True, gc=False):
    """What a task counts for with a model (empty: not known) in an hour since the epoch; `input` holds `cached` and
    `cache_write`. `cost` in millionths of a dollar, None where the client says none; `since` is the event that said it
    first."""

    tool: Tool
    provider: str | None
    hour: int
    model: str
    calls: int
    input: int
    output: int
    cached: int
    cache_write: int
    reasoning: int
    cost: int | None
    since: int


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a ledger the last time that something was other than before."""

    ledger: str
    position: int
    imported_at: int
    tool: Tool
    kind: str
    rows: int
    skipped: int
    errors: int
    latest_ts: int | None
    problems: tuple[str, ...]


class LedgerTotals(msgspec.Struct, frozen=True):
    """Sums over the tasks of a tool. `counted_*` are without what went through this proxy and what overlaps;
    `wire_*` are what the exchanges say of the `matched_*` part. Costs in millionths of a dollar: those of
    the tasks whose client knows them (`costed_*`)."""

    tool: Tool
    tasks: int
    matched_tasks: int
    overlapping_tasks: int
    tokens_in: int
    tokens_out: int
    cost_micro_usd: int
    matched_in: int
    matched_out: int
    matched_cost_micro_usd: int
    counted_in: int
    counted_out: int
    counted_cost_micro_usd: int
    wire_in: int
    wire_out: int
    latest_ts: int
    costed_tasks: int
    costed_matched: int
    costed_counted: int
    counted_tasks: int


def list_tasks(
    db: sqlite3.Connection,
    *,
    at: int,
    tools: Sequence[Tool] = (),
    matched: bool | None = None,
    limit: int,
    offset: int,
) -> Page[TaskRow]:
    """Used last first."""
    where, values = [_HOLDS], {"at": at, "limit": limit, "offset": offset}
    if tools:
        where.append(f"tool IN ({', '.join(repr(str(tool)) for tool in tools)})")
    if matched is not None:
        where.append(f"match_rule IS {'NOT ' if matched else ''}NULL")
    condition = " AND ".join(where)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM ledger_tasks WHERE {condition} ORDER BY ts DESC, tool, task_id"
        " LIMIT :limit OFFSET :offset",
        values,
    )
    (total,) = db.execute(f"SELECT count(*) FROM ledger_tasks WHERE {condition}", values).fetchone()
    return Page([TaskRow(*row) for row in rows], total)


def get_task(db: sqlite3.Connection, tool: Tool, task_id: str, *, at: int) -> TaskRow | None:
    """None where nothing of it was imported."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM ledger_tasks WHERE tool = :tool AND task_id = :task_id AND {_HOLDS}",
        {"at": at, "tool": tool, "task_id": task_id},
    ).fetchone()
    return TaskRow(*row) if row else None


def parts_between(db: sqlite3.Connection, *, at: int, from_hour: int, to_hour: int) -> list[PartRow]:
    """What tasks count for in these hours since the epoch (both ends inclusive): for accounts of days and models."""
    rows = db.execute(
        "SELECT tool, provider, hour, model, calls, input, output, cached, cache_write, reasoning, cost, since"
        f" FROM ledger_parts WHERE {_HOLDS} AND hour BETWEEN :from AND :to",
        {"at": at, "from": from_hour, "to": to_hour},
    )
    return [PartRow(*row) for row in rows]


def ledger_totals(db: sqlite3.Connection, *, at: int) -> list[LedgerTotals]:
    """By tool."""
    counted = "CASE WHEN overlaps THEN 0 ELSE max({0} - {1}, 0) END"
    cost = "coalesce(cost_micro_usd, 0)"
    sums = exact_sums(
        (
            *("tokens_in", "tokens_out", cost, "matched_in", "matched_out", "matched_cost_micro_usd"),
            counted.format("tokens_in", "matched_in"),
            counted.format("tokens_out", "matched_out"),
            counted.format(cost, "matched_cost_micro_usd"),
            *("wire_in", "wire_out"),
        )
    )
    left = "NOT overlaps AND (match_rule IS NULL OR tokens_in > matched_in OR tokens_out > matched_out)"
    rows = db.execute(
        "SELECT tool, count(*), count(match_rule), sum(overlaps), max(ts), count(cost_micro_usd),"
        " count(iif(match_rule IS NULL, NULL, cost_micro_usd)),"
        f" count(iif({left}, cost_micro_usd, NULL)), sum({left}), {sums}"
        f" FROM ledger_tasks WHERE {_HOLDS} GROUP BY tool ORDER BY tool",
        {"at": at},
    )
    return [LedgerTotals(*row[:4], *whole_sums(row[9:]), *row[4:9]) for row in rows]


def latest_use(db: sqlite3.Connection, tool: Tool, *, at: int) -> int | None:
    """The last `ts` of a tool's tasks."""
    row = db.execute(
        f"SELECT ts FROM ledger_tasks WHERE tool = :tool AND {_HOLDS} ORDER BY ts DESC LIMIT 1",
        {"at": at, "tool": tool},
    ).fetchone()
    return int(row[0]) if row else None


def task_count(db: sqlite3.Connection, tool: Tool, *, at: int) -> int:
    (count,) = db.execute(
        f"SELECT count(*) FROM ledger_tasks WHERE tool = :tool AND {_HOLDS}", {"at": at, "tool": tool}
    ).fetchone()
    return int(count)


def last_imports(db: sqlite3.Connection, *, at: int) -> list[ImportRow]:
    """The last one of each ledger, by path."""
    rows = db.execute(
        f"SELECT i.{', i.'.join(_IMPORT_COLUMNS)} FROM ledger_imports i"
        " JOIN (SELECT ledger, max(position) AS last FROM ledger_imports"
        " WHERE position <= ? GROUP BY ledger) l ON l.ledger = i.ledger AND l.last = i.position ORDER BY i.ledger",
        (at,),
    )
    return [_import_row(*row) for row in rows]


def _import_row(*values: Any) -> ImportRow:
    fields = dict(zip(_IMPORT_COLUMNS, values, strict=True))
    return ImportRow(**{**fields, "problems": _decode_problems(fields["problems"])})


def answers(db: sqlite3.Connection, tool: Tool, *, at: int) -> dict[bytes, str]:
    """The digests of a tool's answers on record, and the tasks that held them first."""
    rows = db.execute("SELECT answer, task_id FROM ledger_answers WHERE tool = ? AND position <= ?", (tool, at))
    return dict(rows.fetchall())


def claims(db: sqlite3.Connection, low: int, high: int, *, at: int) -> dict[int, set[tuple[str, str]]]:
    """Which tasks (tool, id) the exchanges from `low` to `high` are matched with."""
    found: dict[int, set[tuple[str, str]]] = {}
    rows = db.execute(
        f"SELECT exchange_id, tool, task_id FROM ledger_matches WHERE exchange_id BETWEEN :low AND :high AND {_HOLDS}",
        {"at": at, "low": low, "high": high},
    )
    for number, tool, task_id in rows:
        found.setdefault(number, set()).add((tool, task_id))
    return found
