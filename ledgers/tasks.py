"""What every reader yields: tasks with their numbers, and what could not be read."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ledgers.values import MOST_TOKENS, BadValueError
from schema.ledgers import HourUsage, ModelUsage, Precision

_MOST_MODELS = 30  # of one task
_MOST_HOURS = 1_000  # with their models, of one task
_HOUR_MS = 3_600_000
_COARSER = (1, 24, 24 * 28)  # hours that are summed up as one where there are too many
_Key = tuple[int, str | None, bool]  # hour, model, and whether no cost is known


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request, as the client wrote it down; `at` in milliseconds since the epoch."""

    at: int | None = None
    model: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int | None = None
    cost: float | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of TaskUsageImported. `requests` are the single ones, where the ledger has them; `until` is when the
    task was over, where that is later than `ts`."""

    task_id: str
    ts: int
    started_at: int | None = None
    until: int | None = None
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
    hours: tuple[HourUsage, ...] = ()
    answers: str | None = None
    requests: tuple[Call, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """Something that could not be taken over; `text` holds nothing of what stands in the file."""

    text: str


def summed(task_id: str, calls: Iterable[Call], **fields: Any) -> Task:
    """A task of its requests; its model is the one that took most tokens. Raises BadValueError."""
    calls = tuple(calls)
    times = [call.at for call in calls if call.at is not None]
    if not times:
        raise BadValueError("has no time")
    models = _models(calls)
    reasoning = [call.reasoning for call in calls if call.reasoning is not None]
    task = Task(
        task_id=task_id,
        ts=max(times),
        started_at=min(times),
        model_id=models[0].model_id,
        calls=len(calls),
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
        cache_read_tokens=sum(call.cache_read for call in calls),
        cache_write_tokens=sum(call.cache_write for call in calls),
        reasoning_tokens=sum(reasoning) if reasoning else None,
        total_cost=total(call.cost for call in calls),
        models=models if len(models) > 1 else (),
        hours=by_hour(calls, {used.model_id for used in models}),
        requests=calls,
        **fields,
    )
    if max(task.tokens_in, task.tokens_out, task.cache_read_tokens, task.cache_write_tokens) > MOST_TOKENS:
        raise BadValueError("adds up to more tokens than there can be")
    return task


def by_hour(
    calls: Sequence[Call], named: Collection[str | None], chosen: Iterable[int] | None = None
) -> tuple[HourUsage, ...]:
    """What each of the `named` models, and the others, took in each hour: of all `calls`, or of those chosen by their
    places. How finely hours are told apart depends on all of them. One without a time is of the last hour."""
    keys = _keys(calls, named)
    found: dict[_Key, list[Call]] = {}
    for place in range(len(calls)) if chosen is None else chosen:
        found.setdefault(keys[place], []).append(calls[place])
    return tuple(_hour(key, found[key]) for key in sorted(found, key=lambda key: (key[0], key[1] or "", key[2])))


def _keys(calls: Sequence[Call], named: Collection[str | None]) -> list[_Key]:
    last = max((call.at or 0 for call in calls), default=0) // _HOUR_MS
    hours = [call.at // _HOUR_MS if call.at is not None else last for call in calls]
    for width in _COARSER:
        keys = [
            (hour // width * width, call.model if call.model in named else None, call.cost is None)
            for hour, call in zip(hours, calls, strict=True)
        ]
        if len(set(keys)) <= _MOST_HOURS:
            return keys
    return [(last, model, free) for _, model, free in keys]


def _hour(key: _Key, calls: Sequence[Call]) -> HourUsage:
    return HourUsage(
        hour=key[0],
        model_id=key[1],
        calls=len(calls),
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
        cache_read_tokens=sum(call.cache_read for call in calls),
        cache_write_tokens=sum(call.cache_write for call in calls),
        reasoning_tokens=sum(call.reasoning or 0 for call in calls),
        total_cost=total(call.cost for call in calls),
    )


def total(costs: Iterable[float | None]) -> float | None:
    """None where no cost is known; sums to a billionth, so that it does not depend on the order."""
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 9) if known else None


def _models(calls: tuple[Call, ...]) -> tuple[ModelUsage, ...]:
    by_model: dict[str | None, list[Call]] = {}
    for call in calls:
        by_model.setdefault(call.model, []).append(call)
    found = [
        ModelUsage(
            model_id=model,
            tokens_in=sum(call.tokens_in for call in each),
            tokens_out=sum(call.tokens_out for call in each),
            cache_read_tokens=sum(call.cache_read for call in each),
            cache_write_tokens=sum(call.cache_write for call in each),
            total_cost=total(call.cost for call in each),
        )
        for model, each in by_model.items()
    ]
    found.sort(key=lambda used: (-used.tokens_in - used.tokens_out, used.model_id or ""))
    return (*found[:_MOST_MODELS], *_rest(found[_MOST_MODELS:]))


def _rest(found: list[ModelUsage]) -> Iterator[ModelUsage]:
    """More models than anybody uses in a task, as one without a name."""
    if found:
        yield ModelUsage(
            tokens_in=sum(used.tokens_in for used in found),
            tokens_out=sum(used.tokens_out for used in found),
            cache_read_tokens=sum(used.cache_read_tokens for used in found),
            cache_write_tokens=sum(used.cache_write_tokens for used in found),
            total_cost=total(used.total_cost for used in found),
        )
