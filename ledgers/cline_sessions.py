"""Cline from version 4: table `sessions` of `sessions.db`, whose `metadata_json` holds the usage.

A session's own usage is read; what it adds of its agents is in the sessions of these.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from ledgers.databases import DatabaseError, columns, rows, selected
from ledgers.opening import Source
from ledgers.scanning import BrokenError, decoded
from ledgers.tasks import Problem, Task
from ledgers.values import BadValueError, identifier, identifier_or_none, label, money, time_ms, tokens

_COLUMNS = (
    "session_id", "started_at", "ended_at", "updated_at", "provider", "model", "parent_session_id", "metadata_json",
)  # fmt: skip


class Usage(msgspec.Struct):
    inputTokens: Any = None
    outputTokens: Any = None
    cacheReadTokens: Any = None
    cacheWriteTokens: Any = None
    totalCost: Any = None


class Metadata(msgspec.Struct):
    """The usage stands in `usage`, or in builds of the first weeks beside it."""

    usage: Usage | None = None
    totalCost: Any = None
    tokensIn: Any = None
    tokensOut: Any = None
    cacheReads: Any = None
    cacheWrites: Any = None
    modelId: Any = None


_decoder = msgspec.json.Decoder(Metadata)


def read(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError, DatabaseError and OSError."""
    for number, row in enumerate(rows(source.real(), _sessions), 1):
        try:
            yield _task(*row)
        except (BrokenError, BadValueError) as error:
            yield Problem(f"session {number} is not taken: {error}")


def _sessions(db: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    if "session_id" not in columns(db, "sessions"):
        raise DatabaseError("has no table of sessions")
    yield from selected(db, "sessions", _COLUMNS, "session_id")


def _task(
    session_id: object,
    started_at: object,
    ended_at: object,
    updated_at: object,
    provider: object,
    model: object,
    parent: object,
    metadata: object,
) -> Task:
    found = _metadata(metadata)
    used = found.usage or Usage(
        found.tokensIn, found.tokensOut, found.cacheReads, found.cacheWrites, found.totalCost
    )  # fmt: skip
    started = time_ms(started_at, "started_at")
    last = next((value for value in (ended_at, updated_at) if value is not None), None)
    return Task(
        task_id=identifier(session_id, "session_id"),
        ts=max(started, time_ms(last, "ended_at")) if last is not None else started,
        started_at=started,
        model_id=label(model, "model") or label(found.modelId, "modelId"),
        provider=label(provider, "provider"),
        parent_id=identifier_or_none(parent, "parent_session_id"),
        tokens_in=tokens(used.inputTokens, "inputTokens"),
        tokens_out=tokens(used.outputTokens, "outputTokens"),
        cache_read_tokens=tokens(used.cacheReadTokens, "cacheReadTokens"),
        cache_write_tokens=tokens(used.cacheWriteTokens, "cacheWriteTokens"),
        total_cost=money(used.totalCost if used.totalCost is not None else found.totalCost, "totalCost"),
    )


def _metadata(value: object) -> Metadata:
    if value is None or value == "":
        return Metadata()
    if not isinstance(value, str | bytes):
        raise BadValueError("metadata_json is no text")
    return decoded(value.encode() if isinstance(value, str) else value, _decoder)
