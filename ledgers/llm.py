"""The command line tool `llm`: tables `turns` (threads) and, before them, `responses` (conversations)."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from ledgers.databases import DatabaseError, columns, rows, selected
from ledgers.opening import Source
from ledgers.scanning import BrokenError, decoded
from ledgers.tasks import Call, Problem, Task, summed
from ledgers.values import BadValueError, identifier, identifier_or_none, label, time_ms, tokens

_COLUMNS = ("model", "resolved_model", "input_tokens", "output_tokens", "token_details", "datetime_utc")
_TABLES = (("turns", "thread_id"), ("responses", "conversation_id"))


class _PromptDetails(msgspec.Struct):
    cached_tokens: Any = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: Any = None


class Details(msgspec.Struct):
    """As providers of the OpenAI API word it; others are not read."""

    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


_details = msgspec.json.Decoder(Details)


def read(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError, DatabaseError and OSError."""
    gathered: dict[str, list[Call]] = {}
    seen: set[str] = set()
    for number, (own, thread, *values) in enumerate(rows(source.real(), _rows), 1):
        try:
            turn_id = identifier(own, "id")
            if turn_id in seen:  # a turn that was a response before
                continue
            seen.add(turn_id)
            call = _call(*values)
            if call.tokens_in or call.tokens_out:
                gathered.setdefault(identifier_or_none(thread, "thread") or turn_id, []).append(call)
        except (BrokenError, BadValueError) as error:
            yield Problem(f"row {number} is not taken: {error}")
    for thread_id, calls in gathered.items():
        try:
            yield summed(thread_id, calls, includes_cache=True)
        except BadValueError as error:
            yield Problem(f"thread {thread_id[:60]} {error}")


def _rows(db: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    there = [(table, thread) for table, thread in _TABLES if {"id", "input_tokens"} <= columns(db, table)]
    if not there:
        raise DatabaseError("has no table of turns or responses")
    for table, thread in there:
        yield from selected(db, table, ("id", thread, *_COLUMNS), "id")


def _call(model: object, resolved: object, given: object, received: object, details: object, at: object) -> Call:
    found = Details()
    if isinstance(details, str) and details:
        found = decoded(details.encode(), _details)
    cached = found.prompt_tokens_details.cached_tokens if found.prompt_tokens_details else None
    reasoning = found.completion_tokens_details.reasoning_tokens if found.completion_tokens_details else None
    return Call(
        at=time_ms(at, "datetime_utc"),
        model=label(resolved, "resolved_model") or label(model, "model"),
        tokens_in=tokens(given, "input_tokens"),
        tokens_out=tokens(received, "output_tokens"),
        cache_read=tokens(cached, "cached_tokens"),
        reasoning=tokens(reasoning, "reasoning_tokens") if reasoning is not None else None,
    )
