"""Cline up to version 3: `taskHistory.json`, a list of all tasks; a task's id is the time at which it began."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ledgers.opening import Source
from ledgers.scanning import BrokenError, decoded, elements
from ledgers.tasks import Problem, Task
from ledgers.values import BadValueError, identifier, identifier_or_none, label, money, time_ms, tokens

_FIRST_MS = 1_500_000_000_000  # ids below are no times


class HistoryItem(msgspec.Struct):
    """What is read of an entry; the task's text is not."""

    id: Any = None
    ts: Any = None
    tokensIn: Any = None
    tokensOut: Any = None
    cacheReads: Any = None
    cacheWrites: Any = None
    totalCost: Any = None
    modelId: Any = None
    parentTaskId: Any = None


decoder = msgspec.json.Decoder(HistoryItem)


def read(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError and OSError."""
    with source.open() as file:
        for number, element in enumerate(elements(file), 1):
            yield element if isinstance(element, Problem) else entry(element, f"entry {number}")


def entry(data: bytes, where: str) -> Task | Problem:
    """One entry of a history, in this format of several clients."""
    try:
        return _task(decoded(data, decoder))
    except (BrokenError, BadValueError) as error:
        return Problem(f"{where} {'is not taken: ' if isinstance(error, BadValueError) else ''}{error}")


def _task(item: HistoryItem) -> Task:
    task_id = identifier(item.id, "id")
    started_at = int(task_id) if task_id.isdigit() and len(task_id) == 13 and int(task_id) >= _FIRST_MS else None
    return Task(
        task_id=task_id,
        ts=time_ms(started_at if item.ts is None and started_at is not None else item.ts, "ts"),
        started_at=started_at,
        model_id=label(item.modelId, "modelId"),
        parent_id=identifier_or_none(item.parentTaskId, "parentTaskId"),
        tokens_in=tokens(item.tokensIn, "tokensIn"),
        tokens_out=tokens(item.tokensOut, "tokensOut"),
        cache_read_tokens=tokens(item.cacheReads, "cacheReads"),
        cache_write_tokens=tokens(item.cacheWrites, "cacheWrites"),
        total_cost=money(item.totalCost, "totalCost"),
    )
