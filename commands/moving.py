"""Correcting which session something belongs to: exchanges are reassigned, sessions merged. The state is the
workspace's."""

from typing import assert_never

import msgspec

from commands.errors import ConflictError, InvalidCommandError, NotFoundError
from commands.workspace import Workspace, activated, require, require_known, session_gone
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Body
from schema.registry import Event
from schema.sessions import SessionRenamed


class Move(msgspec.Struct, frozen=True):
    """An exchange of session `home`, with its texts, and the bodies that go with it."""

    exchange_id: int
    home: int
    preview: str | None = None
    error_message: str | None = None
    bodies: tuple[Body, ...] = ()


class ReassignExchanges(msgspec.Struct, frozen=True):
    """To session `session_id`; `running` are the sessions with an exchange under way."""

    session_id: int
    moves: tuple[Move, ...]
    running: frozenset[int] = frozenset()


class MergeSessions(msgspec.Struct, frozen=True):
    """Into session `session_id`, which may get a new name; `exchanges`, `compactions` and `memories` are those of the
    sources."""

    session_id: int
    source_ids: tuple[int, ...]
    name: str | None = None
    running: frozenset[int] = frozenset()
    exchanges: int = 0
    compactions: int = 0
    memories: int = 0


Command = ReassignExchanges | MergeSessions


def decide(state: Workspace, command: Command) -> list[Event]:
    """Raises CommandError."""
    match command:
        case ReassignExchanges():
            return _reassign(state, command)
        case MergeSessions():
            return _merge(state, command)
        case _:
            assert_never(command)


def _reassign(state: Workspace, command: ReassignExchanges) -> list[Event]:
    target = command.session_id
    require(state, target)
    require_known(state, *(move.home for move in command.moves))
    _idle(command.running, (target, *(move.home for move in command.moves)))
    return [
        ExchangeReassigned(
            session_id=target,
            exchange_id=move.exchange_id,
            from_=move.home,
            to=target,
            preview=move.preview,
            error_message=move.error_message,
        )
        for move in command.moves
        if move.home != target
    ]


def _merge(state: Workspace, command: MergeSessions) -> list[Event]:
    target, sources = command.session_id, tuple(dict.fromkeys(command.source_ids))
    before = require(state, target)
    require_known(state, *sources)
    if target in sources:
        raise InvalidCommandError("self_merge", "A session cannot be merged with itself.")
    for number in sources:
        if number in state.erased:
            raise session_gone(state, number)
    unknown = [number for number in sources if number not in state.sessions]
    if unknown:
        raise NotFoundError("unknown_sessions", f"There are no sessions {unknown}.", failed_ids=unknown)
    _idle(command.running, (target, *sources))
    merged = SessionsMerged(
        session_id=target,
        target_id=target,
        source_ids=sources,
        exchanges_moved=command.exchanges,
        memories_moved=command.memories,
        compactions_moved=command.compactions,
    )
    events: list[Event] = [merged]
    if command.name is not None and command.name != before.name:
        events.append(SessionRenamed(session_id=target, from_=before.name, to=command.name))
    if state.active_id in sources:
        events.append(activated(state, target))
    return events


def _idle(running: frozenset[int], numbers: tuple[int, ...]) -> None:
    for number in numbers:
        if number in running:
            raise ConflictError("session_busy", f"Session {number} has a running exchange.", session_id=number)
