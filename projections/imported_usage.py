"""What clients wrote in ledgers of their own, as entries of usage: only what did not go through this proxy."""

import sqlite3

from projections.ledger_rows import TaskRow, tasks_between
from projections.usage_entries import HOUR_MS, HOURS_OF_A_DAY, Asked, Entry

_DAY_MS = HOURS_OF_A_DAY * HOUR_MS


def imported_usage(db: sqlite3.Connection, asked: Asked, *, at: int) -> list[Entry]:
    """An entry for each task, in the hour in which it was used last. A task belongs to no session of ours; its client
    family is the tool, its exchanges are the calls that it says it made (one, where it does not say)."""
    if asked.sessions is not None:
        return []
    span = {"from_ms": asked.from_hour * HOUR_MS, "to_ms": (asked.to_hour + 1) * HOUR_MS - 1}
    found = (_entry(task, asked) for task in tasks_between(db, at=at, **span) if _wanted(task, asked))
    return [entry for entry in found if entry is not None]


def _wanted(task: TaskRow, asked: Asked) -> bool:
    return (
        asked.provider in (None, task.provider)
        and asked.model in (None, task.model_id)
        and asked.client_family in (None, task.tool)
    )


def _entry(task: TaskRow, asked: Asked) -> Entry | None:
    """None where all of it went through this proxy."""
    tokens = max(task.tokens_in - task.matched_in, 0), max(task.tokens_out - task.matched_out, 0)
    if not any(tokens) and task.matched_in + task.matched_out:
        return None
    cached, written = (_rest(part, task) for part in (task.cache_read_tokens, task.cache_write_tokens))
    calls = max((task.calls or 1) - (task.match_calls or 0), 1)
    cost = None if task.cost_micro_usd is None else max(task.cost_micro_usd - task.matched_cost_micro_usd, 0)
    return Entry(
        key=_key(task, asked),
        source="imported",
        completed=calls,
        input=tokens[0] + (0 if task.includes_cache else cached + written),
        output=tokens[1],
        cached=cached,
        cache_write=written,
        reasoning=min(task.reasoning_tokens or 0, tokens[1]),
        cost=cost or 0,
        unpriced=calls if cost is None else 0,
    )


def _rest(part: int, task: TaskRow) -> int:
    """The share of the input that did not go through here: of its parts the ledger says no more."""
    whole = task.tokens_in
    return part * max(whole - task.matched_in, 0) // whole if whole else part


def _key(task: TaskRow, asked: Asked) -> str:
    provider = task.provider or task.tool
    match asked.group_by:
        case "day":
            return str(task.ts // _DAY_MS)
        case "model":
            return f"{provider}/{task.model_id or ''}"
        case "provider":
            return provider
        case "client_family":
            return task.tool
        case _:
            return ""
