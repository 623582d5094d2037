"""The life of a session: start, rename, delete. The state is the workspace's, which knows all living sessions."""

from typing import assert_never

import msgspec

from commands.errors import ConflictError, NotFoundError
from commands.workspace import Workspace, activated, require, require_known, session_gone
from schema.registry import Event
from schema.sessions import Origin, SessionDeleted, SessionRenamed, SessionStarted


class StartSession(msgspec.Struct, frozen=True, kw_only=True):
    """`activate` makes it the active session; where it is False that happens only when none is active."""

    session_id: int
    name: str
    provider: str
    model: str | None = None
    origin: Origin = "manual"
    activate: bool = True
    rule: str | None = None
    parent_id: int | None = None
    client_family: str | None = None
    key_hash: str | None = None
    scope: str | None = None


class RenameSession(msgspec.Struct, frozen=True):
    session_id: int
    name: str


class DeleteSessions(msgspec.Struct, frozen=True):
    """All of them or none; `running` are the sessions with an exchange under way."""

    session_ids: tuple[int, ...]
    running: frozenset[int] = frozenset()


class DeleteSession(msgspec.Struct, frozen=True):
    """One of them; `running` as in DeleteSessions."""

    session_id: int
    running: frozenset[int] = frozenset()


Command = StartSession | RenameSession | DeleteSessions | DeleteSession


def stream_of(event: Event) -> str:
    """SessionRenamed stands in the session's own stream, the others in the workspace's."""
    return f"session-{event.session_id}" if isinstance(event, SessionRenamed) else "workspace"


def decide(state: Workspace, command: Command) -> list[Event]:
    """The events that `command` causes, none when all is so already. Raises CommandError."""
    match command:
        case StartSession():
            return _start(state, command)
        case RenameSession(session_id, name):
            before = require(state, session_id).name
            return [] if before == name else [SessionRenamed(session_id=session_id, from_=before, to=name)]
        case DeleteSessions(session_ids, running):
            numbers = tuple(dict.fromkeys(session_ids))
            _require_deletable(state, numbers, running)
            left = range(len(numbers) - 1, -1, -1)
            return [SessionDeleted(session_id=each, left=more) for each, more in zip(numbers, left, strict=True)]
        case DeleteSession(session_id, running):
            require(state, session_id)
            _require_deletable(state, (session_id,), running)
            return [SessionDeleted(session_id=session_id)]
        case _:
            assert_never(command)


def _start(state: Workspace, command: StartSession) -> list[Event]:
    number = command.session_id
    if number in state.sessions:
        raise ConflictError("session_exists", f"Session {number} exists already.", session_id=number)
    started = SessionStarted(
        session_id=number,
        name=command.name,
        provider=command.provider,
        model=command.model,
        origin=command.origin,
        rule=command.rule,
        parent_id=command.parent_id,
        client_family=command.client_family,
        key_hash=command.key_hash,
        scope=command.scope,
    )
    active = command.activate or state.active_id not in state.sessions
    return [started, activated(state, number)] if active else [started]


def _require_deletable(state: Workspace, numbers: tuple[int, ...], running: frozenset[int]) -> None:
    """Raises CommandError where one of them cannot be deleted."""
    require_known(state, *numbers)
    gone = [number for number in numbers if number not in state.sessions]
    unknown = [number for number in gone if number not in state.erased]
    if unknown:
        raise NotFoundError("unknown_sessions", f"There are no sessions {unknown}.", failed_ids=unknown)
    if gone:
        raise session_gone(state, gone[0])
    for number in numbers:
        if number == state.active_id:
            raise ConflictError("active_session", f"Session {number} is the active one.", session_id=number)
        if number in running:
            raise ConflictError("session_busy", f"Session {number} has a running exchange.", session_id=number)
