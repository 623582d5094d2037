"""What is said of ledgers and imported usage."""

import sqlite3
from collections.abc import Sequence

import msgspec
from pydantic import BaseModel, ConfigDict

from api.times import iso
from projections.ledger_rows import ImportRow, LedgerTotals, TaskRow, last_imports, latest_use
from schema.ledgers import MatchRule, Precision, Tool

_MICRO = 1_000_000


class Imported(BaseModel):
    """`imported_count` tasks were new or other than before, `skipped_count` as before, `error_count` could not be taken
    over: `problems` names the first of these."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "imported_count": 12,
                    "skipped_count": 240,
                    "error_count": 1,
                    "latest_ts": 1795390431123,
                    "problems": ["~/.cline/data/state/taskHistory.json: entry 3 is not taken: tokensIn is no number"],
                }
            ]
        }
    )

    imported_count: int
    skipped_count: int
    error_count: int
    latest_ts: int | None
    problems: list[str]


class Match(BaseModel):
    """The part of a task that went through this proxy, and is counted there. `rule` says how that was found out;
    `difference_in` and `difference_out` are what the ledger says more than the exchanges do."""

    rule: MatchRule
    exchanges: int
    calls: int | None
    tokens_in: int
    tokens_out: int
    wire_tokens_in: int
    wire_tokens_out: int
    difference_in: int
    difference_out: int


class ModelShare(BaseModel):
    model_id: str | None
    tokens_in: int
    tokens_out: int
    cache_read_tokens: int
    cache_write_tokens: int
    total_cost: float | None


class TaskUsage(BaseModel):
    """`ts` and `started_at` in milliseconds since the epoch, costs in USD as the client worked them out. `source` is
    always `imported`; `counted_*` is what it adds to what this proxy has measured itself."""

    tool: Tool
    task_id: str
    source: str
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
    includes_cache: bool
    total_cost: float | None
    precision: Precision
    overlaps: bool
    models: list[ModelShare]
    match: Match | None
    counted_in: int
    counted_out: int
    imported_at: str


class TaskUsages(BaseModel):
    items: list[TaskUsage]
    limit: int
    offset: int
    total: int


class ToolTotals(BaseModel):
    """`imported` is what the ledgers say, `matched` the part of it that went through this proxy, `counted` what is left
    to be added to what the proxy measured; `wire` is what the exchanges say of the matched part, `difference` how much
    more the ledgers say. Costs in USD, of the tasks whose client knows them: null where no client of
    any task does."""

    class Part(BaseModel):
        tokens_in: int
        tokens_out: int
        cost: float | None

    tool: Tool
    tasks: int
    matched_tasks: int
    overlapping_tasks: int
    latest_ts: int | None
    imported: Part
    matched: Part
    counted: Part
    wire: Part
    difference: Part


def import_answer(
    db: sqlite3.Connection, names: Sequence[str] | None, tools: Sequence[Tool], count: int, *, at: int
) -> Imported:
    """What an import did whose last of `count` events is at `at`, of the ledgers of these names (None: all of the
    tools). It is the same each time that it is asked."""
    found = [each for each in last_imports(db, at=at) if _asked(each, names, tools)]
    new = [each for each in found if each.position > at - count]
    return Imported(
        imported_count=sum(each.rows for each in new),
        skipped_count=sum(each.skipped + (0 if each in new else each.rows) for each in found),
        error_count=sum(each.errors for each in found),
        latest_ts=_latest(db, found if names is not None else None, tools, at=at),
        problems=[f"{each.ledger}: {problem}" for each in found for problem in each.problems],
    )


def task_usage(row: TaskRow) -> TaskUsage:
    matched = row.match_rule is not None
    return TaskUsage(
        **{
            name: getattr(row, name)
            for name in TaskUsage.model_fields
            if name not in ("source", "models", "match", "counted_in", "counted_out", "imported_at")
        },
        source="imported",
        models=[ModelShare(**msgspec.structs.asdict(used)) for used in row.by_model()],
        match=_match(row) if matched else None,
        counted_in=0 if row.overlaps else max(row.tokens_in - row.matched_in, 0),
        counted_out=0 if row.overlaps else max(row.tokens_out - row.matched_out, 0),
        imported_at=iso(row.imported_at),
    )


def tool_totals(row: LedgerTotals) -> ToolTotals:
    part = ToolTotals.Part
    imported = _cost(row.cost_micro_usd, row.tasks, row.costed_tasks)
    matched = _cost(row.matched_cost_micro_usd, row.matched_tasks, row.costed_matched)
    counted = _cost(row.counted_cost_micro_usd, row.counted_tasks, row.costed_counted)
    return ToolTotals(
        tool=row.tool,
        tasks=row.tasks,
        matched_tasks=row.matched_tasks,
        overlapping_tasks=row.overlapping_tasks,
        latest_ts=row.latest_ts,
        imported=part(tokens_in=row.tokens_in, tokens_out=row.tokens_out, cost=imported),
        matched=part(tokens_in=row.matched_in, tokens_out=row.matched_out, cost=matched),
        counted=part(tokens_in=row.counted_in, tokens_out=row.counted_out, cost=counted),
        wire=part(tokens_in=row.wire_in, tokens_out=row.wire_out, cost=None),
        difference=part(tokens_in=row.matched_in - row.wire_in, tokens_out=row.matched_out - row.wire_out, cost=None),
    )


def _latest(
    db: sqlite3.Connection, ledgers: Sequence[ImportRow] | None, tools: Sequence[Tool], *, at: int
) -> int | None:
    """The last use in these ledgers, or of these tools."""
    if ledgers is not None:
        return max((each.latest_ts for each in ledgers if each.latest_ts is not None), default=None)
    return max((ts for tool in tools if (ts := latest_use(db, tool, at=at)) is not None), default=None)


def _cost(micro_usd: int, tasks: int, costed: int) -> float | None:
    return micro_usd / _MICRO if costed or not tasks else None


def _asked(each: ImportRow, names: Sequence[str] | None, tools: Sequence[Tool]) -> bool:
    return each.tool in tools and (names is None or each.ledger in names)


def _match(row: TaskRow) -> Match:
    return Match(
        rule=row.match_rule or "task",
        exchanges=row.exchanges,
        calls=row.match_calls,
        tokens_in=row.matched_in,
        tokens_out=row.matched_out,
        wire_tokens_in=row.wire_in,
        wire_tokens_out=row.wire_out,
        difference_in=row.matched_in - row.wire_in,
        difference_out=row.matched_out - row.wire_out,
    )
