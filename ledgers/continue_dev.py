"""Continue: sessions with the usage that providers reported, and the record of all requests ("dev data") with
Continue's own counts, as JSON lines and in a database.

The same requests stand in all three. What counts is the dev data, by day and model: it alone has requests outside
sessions too. From its beginning on, sessions and the database repeat what the lines hold.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ledgers.databases import DatabaseError, rows, selected
from ledgers.opening import RefusedError, Source
from ledgers.scanning import BrokenError, decoded, document, lines
from ledgers.tasks import Problem, Task
from ledgers.values import BadValueError, identifier, label, money, time_ms, tokens

_SESSIONS, _DATABASE, _LINES = "sessions", "dev_data/devdata.sqlite", "tokensGenerated.jsonl"
_DAY_MS = 86_400_000
_COLUMNS = ("model", "provider", "tokens_prompt", "tokens_generated", "timestamp")


class PromptDetails(msgspec.Struct):
    cachedTokens: Any = None
    cacheWriteTokens: Any = None


class Usage(msgspec.Struct):
    promptTokens: Any = None
    completionTokens: Any = None
    promptTokensDetails: PromptDetails | None = None
    totalCost: Any = None


class Session(msgspec.Struct):
    sessionId: Any = None
    chatModelTitle: Any = None
    usage: Usage | None = None


class Listed(msgspec.Struct):
    """An entry of sessions.json."""

    sessionId: Any = None
    dateCreated: Any = None


class Generated(msgspec.Struct):
    timestamp: Any = None
    model: Any = None
    provider: Any = None
    promptTokens: Any = None
    generatedTokens: Any = None


class _Day(msgspec.Struct):
    """What a model took on a day, UTC."""

    first: int
    last: int
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


_Days = dict[tuple[int, str, str], _Day]  # by day, provider and model
_session = msgspec.json.Decoder(Session)
_listed = msgspec.json.Decoder(list[Listed])
_generated = msgspec.json.Decoder(Generated)


def read(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError."""
    said, counted = _Days(), _Days()
    yield from _from_lines(source, said)
    yield from _from_database(source, counted)
    yield from _tasks(said, "lines", None)
    yield from _tasks(counted, "database", _first(said))
    yield from _sessions(source, _first(said, counted))


def _first(*records: _Days) -> int | None:
    return min((day.first for days in records for day in days.values()), default=None)


def _from_lines(source: Source, days: _Days) -> Iterator[Problem]:
    for path in source.files(_LINES, "dev_data"):
        if isinstance(path, Problem):
            yield path
            continue
        try:
            with source.open(path) as file:
                for found in lines(file):
                    if isinstance(found, Problem):
                        yield Problem(f"{_LINES}: {found.text}")
                        continue
                    try:
                        line = decoded(found[1], _generated)
                        _add(days, line.model, line.provider, line.promptTokens, line.generatedTokens, line.timestamp)
                    except (BrokenError, BadValueError) as error:
                        yield Problem(f"{_LINES}: line {found[0]} is not taken: {error}")
        except (OSError, RefusedError):
            yield Problem(f"{_LINES} cannot be read")


def _from_database(source: Source, days: _Days) -> Iterator[Problem]:
    path = source.path / _DATABASE
    if not path.exists() and not path.is_symlink():
        return
    try:
        for number, row in enumerate(rows(source.real(path), _rows), 1):
            try:
                _add(days, *row)
            except BadValueError as error:
                yield Problem(f"devdata.sqlite: row {number} is not taken: {error}")
    except (DatabaseError, RefusedError) as error:
        yield Problem(f"devdata.sqlite {error}")


def _rows(db: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    yield from selected(db, "tokens_generated", _COLUMNS, "timestamp")


def _add(days: _Days, model: object, provider: object, given: object, generated: object, at: object) -> None:
    """Raises BadValueError."""
    time = time_ms(at, "timestamp")
    taken, made = tokens(given, "promptTokens"), tokens(generated, "generatedTokens")
    key = time // _DAY_MS, label(provider, "provider") or "", label(model, "model") or ""
    day = days.setdefault(key, _Day(time, time))
    day.first, day.last = min(day.first, time), max(day.last, time)
    day.calls += 1
    day.tokens_in += taken
    day.tokens_out += made


def _tasks(days: Mapping[tuple[int, str, str], _Day], kind: str, repeats_from: int | None) -> Iterator[Task]:
    for (number, provider, model), day in sorted(days.items()):
        date = datetime.fromtimestamp(number * _DAY_MS / 1_000, UTC).date().isoformat()
        name = f"{kind}:{date}:{provider}:{model}".replace(" ", "_")
        yield Task(
            task_id=name.encode("ascii", "replace").decode()[:200],
            ts=day.last,
            started_at=day.first,
            model_id=model or None,
            provider=provider or None,
            calls=day.calls,
            tokens_in=day.tokens_in,
            tokens_out=day.tokens_out,
            includes_cache=True,
            precision="estimated",
            overlaps=repeats_from is not None and day.last >= repeats_from,
        )


def _sessions(source: Source, repeats_from: int | None) -> Iterator[Task | Problem]:
    created = _created(source)
    for path in source.files(".json", _SESSIONS):
        if isinstance(path, Problem):
            yield path
        elif path.name != "sessions.json":
            yield from _one_session(source, path, created, repeats_from)


def _created(source: Source) -> dict[str, object]:
    """When each session began, as far as the list says so."""
    try:
        with source.open(source.path / _SESSIONS / "sessions.json") as file:
            return {str(each.sessionId): each.dateCreated for each in document(file, _listed)}
    except (OSError, RefusedError, BrokenError):
        return {}


def _one_session(
    source: Source, path: Path, created: Mapping[str, object], repeats_from: int | None
) -> Iterator[Task | Problem]:
    name = path.stem[:60]
    try:
        with source.open(path) as file:
            found = document(file, _session)
        if found.usage is not None:
            began = _began(created.get(str(found.sessionId)))
            yield _session_task(found, found.usage, source.modified_ms(path), began, repeats_from)
    except (BrokenError, BadValueError) as error:
        yield Problem(f"session {name} is not taken: {error}")
    except (OSError, RefusedError):
        yield Problem(f"session {name} cannot be read")


def _session_task(session: Session, used: Usage, modified: int, began: int | None, repeats_from: int | None) -> Task:
    details = used.promptTokensDetails or PromptDetails()
    return Task(
        task_id=identifier(session.sessionId, "sessionId"),
        ts=modified,
        started_at=began,
        model_id=label(session.chatModelTitle, "chatModelTitle"),
        tokens_in=tokens(used.promptTokens, "promptTokens"),
        tokens_out=tokens(used.completionTokens, "completionTokens"),
        cache_read_tokens=tokens(details.cachedTokens, "cachedTokens"),
        cache_write_tokens=tokens(details.cacheWriteTokens, "cacheWriteTokens"),
        includes_cache=True,
        total_cost=money(used.totalCost, "totalCost"),
        overlaps=repeats_from is not None and modified >= repeats_from,
    )


def _began(value: object) -> int | None:
    """Milliseconds, or a text of them."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    try:
        return time_ms(value, "dateCreated") if value is not None else None
    except BadValueError:
        return None
