"""Events of what clients on this machine wrote down about their own usage. Stream `ledgers`.

A ledger is a file, a database or a folder that a client keeps; a task is what it sums up: a task, a session, a
conversation, a day. Only numbers, ids, times and names of models are taken over, never a text that somebody wrote.
"""

from typing import Literal

import msgspec

from schema.registry import Event

STREAM = "ledgers"
ANSWER_BYTES = 6  # of the digest of an answer's id

Tool = Literal["cline", "roo", "kilo", "continue", "claude_code", "codex", "opencode", "aider", "llm"]
Precision = Literal["reported", "estimated", "rounded"]
MatchRule = Literal["calls", "task", "part"]


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The share of one model in a task that used several."""

    model_id: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    total_cost: float | None = None


class HourUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model took in an hour, counted from the epoch; requests whose cost is known are apart from the others.
    Cached tokens are a part of `tokens_in` as they are in the task."""

    hour: int
    model_id: str | None = None
    calls: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    total_cost: float | None = None


class WireMatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a task that went through this proxy and is in the log already, and how that was found out:

    by rule `calls`, each of these requests has an exchange with the same tokens, a model of that name, and that time;
    by rule `task`, exchanges of the task's time and model add up to the task's tokens; by rule `part`, exchanges of
    one session lie in the task's time, have its model, and add up to less, so that the rest went elsewhere.
    `exchange_ids` are the evidence. `tokens_in`, `tokens_out` and `total_cost` are what the ledger says of this part,
    `wire_tokens_in` and `wire_tokens_out` what the exchanges say, counted as the ledger counts. `cache_read_tokens` and
    `cache_write_tokens` are the ledger's in this part (none: not worked out), `hours` where it lies, as far as known.
    """

    rule: MatchRule
    exchange_ids: tuple[int, ...]
    calls: int | None = None
    tokens_in: int
    tokens_out: int
    total_cost: float | None = None
    wire_tokens_in: int
    wire_tokens_out: int
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    hours: tuple[HourUsage, ...] = ()


class TaskUsageImported(Event, frozen=True, kw_only=True):
    """What a client says that a task has used, in whole: it takes the place of what was imported of it before.

    `ledger` is the path, `~` for the home directory; times are milliseconds since the epoch, `ts` that of the last
    use. Cached tokens are a part of `tokens_in` where `includes_cache`. `total_cost` is in USD, as the client worked it
    out. `precision`: estimated by the client itself, or rounded where it wrote it down. `overlaps` marks a task that
    other tasks of the tool hold already: it counts for nothing. `calls` is the number of requests, where known. `hours`
    are the whole task by hour and model, where the ledger knows the times of requests. `answers` are digests of the
    ids of answers that the task is the first to hold, six bytes each in base64, without those that earlier events of it
    have told: copies of these in other tasks count for nothing, also when this one's file is gone."""

    tool: Tool
    task_id: str
    ledger: str
    ts: int
    started_at: int | None = None
    model_id: str | None = None
    provider: str | None = None
    parent_id: str | None = None
    calls: int | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int | None = None
    includes_cache: bool = False
    total_cost: float | None = None
    precision: Precision = "reported"
    overlaps: bool = False
    models: tuple[ModelUsage, ...] = ()
    hours: tuple[HourUsage, ...] | None = None
    answers: str | None = None
    match: WireMatch | None = None


class LedgerImported(Event, frozen=True, kw_only=True):
    """A ledger was read: `rows` tasks were new or other than before, `skipped` were as before or stood there twice,
    `errors` could not be taken over; `problems` are the first of these. `latest_ts` is the last use in it. It comes
    after the tasks, and not at all where all is as it was."""

    ledger: str
    tool: Tool
    kind: str
    rows: int
    skipped: int
    errors: int
    latest_ts: int | None = None
    problems: tuple[str, ...] = ()


EVENTS = (TaskUsageImported, LedgerImported)
