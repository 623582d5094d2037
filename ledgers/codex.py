"""Codex: a file of JSON lines for each session ("rollout"), whose `token_count` events count up.

A session that was forked, and that of a sub-agent, begins with a copy of the counts of the one that it comes from, with
new times: counts that its parent has too, one after the other from the beginning, are the parent's.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ledgers.opening import RefusedError, Source
from ledgers.scanning import BrokenError, decoded, lines
from ledgers.tasks import Call, Problem, Task, summed
from ledgers.values import BadValueError, identifier, identifier_or_none, label, time_ms, tokens

_COPIED_MS = 2_000  # where the parent is gone: counts within this time of the beginning are copies


class Usage(msgspec.Struct):
    input_tokens: Any = None
    cached_input_tokens: Any = None
    cache_write_input_tokens: Any = None
    output_tokens: Any = None
    reasoning_output_tokens: Any = None


class Info(msgspec.Struct):
    total_token_usage: Usage | None = None


class Payload(msgspec.Struct):
    """Of a session's beginning, of a turn's, or of an event."""

    type: Any = None
    id: Any = None
    forked_from_id: Any = None
    parent_thread_id: Any = None
    model_provider: Any = None
    model: Any = None
    timestamp: Any = None
    info: Info | None = None


class Line(msgspec.Struct):
    type: Any = None
    timestamp: Any = None
    payload: Payload | None = None


class _Kind(msgspec.Struct):
    type: Any = None


_kind = msgspec.json.Decoder(_Kind)
_line = msgspec.json.Decoder(Line)
_WANTED = ("session_meta", "turn_context", "event_msg")


class _Count(msgspec.Struct, frozen=True):
    """How far everything was counted up at a time: input, cached, cache writes, output, reasoning."""

    at: int
    model: str | None
    totals: tuple[int, int, int, int, int]


class _Rollout(msgspec.Struct):
    session_id: str | None = None
    parent_id: str | None = None
    provider: str | None = None
    began: int | None = None
    model: str | None = None
    counts: list[_Count] = msgspec.field(default_factory=list)


def read(source: Source) -> Iterator[Task | Problem]:
    """The sessions in the order of their names, which is that of their beginnings. Raises RefusedError and OSError."""
    known: dict[str, array[int]] = {}  # the counts of each session, hashed
    for found in sorted(source.files(".jsonl", "sessions", "archived_sessions"), key=_name):
        if isinstance(found, Problem):
            yield found
        else:
            yield from _session(source, found, known)


def _name(found: Path | Problem) -> str:
    return found.name if isinstance(found, Path) else ""


def _session(source: Source, path: Path, known: dict[str, "array[int]"]) -> Iterator[Task | Problem]:
    rollout, name = _Rollout(), path.stem[-60:]
    try:
        with source.open(path) as file:
            for found in lines(file):
                if isinstance(found, Problem):
                    yield Problem(f"{name}: {found.text}")
                    continue
                try:
                    _add(rollout, found[1])
                except (BrokenError, BadValueError) as error:
                    yield Problem(f"{name}: line {found[0]} is not taken: {error}")
    except (OSError, RefusedError):
        yield Problem(f"{name} cannot be read")
        return
    if rollout.counts:
        yield from _task(rollout, name, known)


def _add(rollout: _Rollout, data: bytes) -> None:
    if decoded(data, _kind).type not in _WANTED:
        return
    line = decoded(data, _line)
    payload = line.payload
    if payload is None:
        return
    if line.type == "session_meta":
        _begin(rollout, line, payload)
    elif line.type == "turn_context":
        rollout.model = label(payload.model, "model") or rollout.model
    elif payload.type == "token_count" and payload.info is not None and payload.info.total_token_usage is not None:
        used = payload.info.total_token_usage
        totals = (
            tokens(used.input_tokens, "input_tokens"),
            tokens(used.cached_input_tokens, "cached_input_tokens"),
            tokens(used.cache_write_input_tokens, "cache_write_input_tokens"),
            tokens(used.output_tokens, "output_tokens"),
            tokens(used.reasoning_output_tokens, "reasoning_output_tokens"),
        )
        if not rollout.counts or rollout.counts[-1].totals != totals:  # they are repeated where nothing was used
            rollout.counts.append(_Count(time_ms(line.timestamp, "timestamp"), rollout.model, totals))


def _begin(rollout: _Rollout, line: Line, payload: Payload) -> None:
    """A copy of the parent's beginning may follow the session's own."""
    if rollout.session_id is not None:
        return
    rollout.session_id = identifier(payload.id, "id")
    parent = payload.forked_from_id if payload.forked_from_id is not None else payload.parent_thread_id
    rollout.parent_id = identifier_or_none(parent, "forked_from_id")
    rollout.provider = label(payload.model_provider, "model_provider")
    rollout.began = time_ms(payload.timestamp if payload.timestamp is not None else line.timestamp, "timestamp")


def _task(rollout: _Rollout, name: str, known: dict[str, "array[int]"]) -> Iterator[Task | Problem]:
    session = rollout.session_id or name
    known[session] = array("q", (hash(count.totals) for count in rollout.counts))
    calls = _calls(rollout, _copied(rollout, known))
    if not calls:
        return
    try:
        yield summed(session, calls, parent_id=rollout.parent_id, provider=rollout.provider, includes_cache=True)
    except BadValueError as error:
        yield Problem(f"{name} {error}")


def _copied(rollout: _Rollout, known: dict[str, "array[int]"]) -> int:
    """How many counts at the beginning are the parent's."""
    if rollout.parent_id is None:
        return 0
    parent = known.get(rollout.parent_id)
    if parent is None:
        until = (rollout.began or 0) + _COPIED_MS
        return next((n for n, count in enumerate(rollout.counts) if count.at > until), len(rollout.counts))
    pairs = zip((hash(count.totals) for count in rollout.counts), parent, strict=False)
    return next((n for n, (own, theirs) in enumerate(pairs) if own != theirs), min(len(rollout.counts), len(parent)))


def _calls(rollout: _Rollout, copied: int) -> list[Call]:
    """What each count adds to the one before; one that is lower begins anew."""
    calls: list[Call] = []
    before = rollout.counts[copied - 1].totals if copied else (0, 0, 0, 0, 0)
    for count in rollout.counts[copied:]:
        if any(now < then for now, then in zip(count.totals, before, strict=True)):
            before = (0, 0, 0, 0, 0)
        used = [now - then for now, then in zip(count.totals, before, strict=True)]
        before = count.totals
        calls.append(
            Call(
                at=count.at,
                model=count.model,
                tokens_in=used[0],
                cache_read=used[1],
                cache_write=used[2],
                tokens_out=used[3],
                reasoning=used[4],
            )
        )
    return calls
