"""opencode and its descendants: a message for each answer, as a JSON file (`message/SESSION/MESSAGE.json`) or as a row
of a database. Reasoning stands beside the output since some version, without a word of which that is."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from ledgers.databases import DatabaseError, columns, rows, selected
from ledgers.opening import RefusedError, Source
from ledgers.scanning import BrokenError, decoded, document
from ledgers.tasks import Call, Problem, Task, summed
from ledgers.values import BadValueError, identifier, identifier_or_none, label, money, time_ms, tokens, tokens_or_none


class Cache(msgspec.Struct):
    read: Any = None
    write: Any = None


class Tokens(msgspec.Struct):
    total: Any = None
    input: Any = None
    output: Any = None
    reasoning: Any = None
    cache: Cache | None = None


class Time(msgspec.Struct):
    created: Any = None
    completed: Any = None


class Message(msgspec.Struct):
    role: Any = None
    time: Time | None = None
    modelID: Any = None
    providerID: Any = None
    cost: Any = None
    tokens: Tokens | None = None


class Session(msgspec.Struct):
    id: Any = None
    parentID: Any = None


_message = msgspec.json.Decoder(Message)
_session = msgspec.json.Decoder(Session)


class _Gathered(msgspec.Struct):
    """The answers of the session at hand."""

    session_id: str | None = None
    provider: str | None = None
    calls: list[Call] = msgspec.field(default_factory=list)

    def add(self, message: Message) -> None:
        """Raises BadValueError."""
        if message.role != "assistant" or message.tokens is None or message.time is None:
            return
        used, cache = message.tokens, message.tokens.cache or Cache()
        reasoning = tokens_or_none(used.reasoning, "tokens.reasoning")
        call = Call(
            at=time_ms(message.time.created, "time.created"),
            model=label(message.modelID, "modelID"),
            tokens_in=tokens(used.input, "tokens.input"),
            tokens_out=tokens(used.output, "tokens.output"),
            cache_read=tokens(cache.read, "tokens.cache.read"),
            cache_write=tokens(cache.write, "tokens.cache.write"),
            reasoning=reasoning,
            cost=money(message.cost, "cost"),
        )
        if reasoning and not _within(call, tokens_or_none(used.total, "tokens.total")):
            call = msgspec.structs.replace(call, tokens_out=call.tokens_out + reasoning)
        if call.tokens_in or call.tokens_out or call.cache_read or call.cache_write:
            self.provider = label(message.providerID, "providerID") or self.provider
            self.calls.append(call)

    def task(self, parents: dict[str, str]) -> Iterator[Task | Problem]:
        """The session, where it used anything."""
        if self.session_id is None or not self.calls:
            return
        try:
            yield summed(self.session_id, self.calls, provider=self.provider, parent_id=parents.get(self.session_id))
        except BadValueError as error:
            yield Problem(f"session {self.session_id[:60]} {error}")


def _within(call: Call, total: int | None) -> bool:
    """Whether the output holds the reasoning, as it did in older versions: the total tells, where there is one."""
    return total == call.tokens_in + call.cache_read + call.cache_write + call.tokens_out


def read_files(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError and OSError."""
    gathered, parents = _Gathered(), dict[str, str]()
    for found in source.files(".json", "session", "message"):
        if isinstance(found, Problem):
            yield found
            continue
        try:
            with source.open(found) as file:
                if found.parent.parent.name == "session":
                    _parent(document(file, _session), parents)
                    continue
                message = document(file, _message)
            session_id = identifier(found.parent.name, "the session's folder")
            if session_id != gathered.session_id:
                yield from gathered.task(parents)
                gathered = _Gathered(session_id)
            gathered.add(message)
        except (BrokenError, BadValueError) as error:
            yield Problem(f"{found.stem[:60]} is not taken: {error}")
        except (OSError, RefusedError):
            yield Problem(f"{found.stem[:60]} cannot be read")
    yield from gathered.task(parents)


def read_database(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError, DatabaseError and OSError."""
    parents: dict[str, str] = {}
    gathered = _Gathered()
    for number, (kind, session, value) in enumerate(rows(source.real(), _rows), 1):
        try:
            session_id = identifier(session, "session_id")
            if kind == "session":
                parent = identifier_or_none(value, "parent_id")
                parents |= {session_id: parent} if parent is not None else {}
                continue
            if session_id != gathered.session_id:
                yield from gathered.task(parents)
                gathered = _Gathered(session_id)
            if not isinstance(value, str | bytes):
                raise BadValueError("data is no text")
            gathered.add(decoded(value.encode() if isinstance(value, str) else value, _message))
        except (BrokenError, BadValueError) as error:
            yield Problem(f"row {number} is not taken: {error}")
    yield from gathered.task(parents)


def _rows(db: sqlite3.Connection) -> Iterator[tuple[str, object, object]]:
    if not {"session_id", "data"} <= columns(db, "message"):
        raise DatabaseError("has no table of messages")
    for session, parent in selected(db, "session", ("id", "parent_id"), "id"):
        yield "session", session, parent
    for session, data in selected(db, "message", ("session_id", "data"), "session_id"):
        yield "message", session, data


def _parent(session: Session, parents: dict[str, str]) -> None:
    parent = identifier_or_none(session.parentID, "parentID")
    if parent is not None:
        parents[identifier(session.id, "id")] = parent
