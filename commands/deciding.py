"""Which rules decide a command, in which stream its events stand, and the bodies that are stored beside them."""

from collections.abc import Callable
from typing import TypeGuard

from commands import (
    compaction,
    erasure,
    forking,
    ledgers,
    memory,
    memory_shelf,
    memory_undoing,
    moving,
    pins,
    prices,
    retrievals,
    server_state,
    sessions,
    workspace,
)
from schema import compaction as compaction_events
from schema import forking as forking_events
from schema import ledgers as ledger_events
from schema import memory as memory_events
from schema import moving as moving_events
from schema import server_state as server_events
from schema.context import ContentRetrieved
from schema.recorded import Body, NewEvent
from schema.registry import Event

_CONTEXT_STREAMS = compaction_events.EVENTS  # in the stream of their session


Command = (
    workspace.Command
    | sessions.Command
    | retrievals.Command
    | compaction.Command
    | pins.Command
    | erasure.Command
    | moving.Command
    | ledgers.Command
    | memory.Command
    | server_state.Command
    | prices.Command
    | forking.ForkSession
)


def decide(
    state: workspace.Workspace, known: ledgers.Ledgers, shelf: Callable[[], memory_shelf.Shelf], command: Command
) -> list[NewEvent]:
    """What follows from `command`, each event with its stream and its bodies. `shelf` gives what is remembered, for the
    commands about it. Raises CommandError."""
    events = _events(state, known, shelf, command)
    return [NewEvent(_stream_of(event), event, _bodies_of(event, command)) for event in events]


def _events(
    state: workspace.Workspace, known: ledgers.Ledgers, shelf: Callable[[], memory_shelf.Shelf], command: Command
) -> list[Event]:
    if isinstance(command, sessions.Command):
        return sessions.decide(state, command)
    if isinstance(command, compaction.Command):
        return compaction.decide(state, command)
    if isinstance(command, moving.Command):
        events = moving.decide(state, command)
        if isinstance(command, moving.MergeSessions):
            events += memory_undoing.one_of_each(state, shelf(), (command.session_id, *command.source_ids))
        return events
    if isinstance(command, forking.ForkSession):
        return forking.decide(state, command)
    if isinstance(command, erasure.Command):
        return erasure.decide(state, command)
    if isinstance(command, pins.Command):
        return pins.decide(state, command)
    if isinstance(command, prices.Command):
        return prices.decide(state, command)
    if isinstance(command, retrievals.Command):
        return retrievals.decide(state, command)
    if isinstance(command, ledgers.Command):
        return ledgers.decide(known, command)
    if isinstance(command, memory.Command):
        return memory.decide(state, shelf(), command)
    if isinstance(command, server_state.Command):
        return server_state.decide(state, command)
    return workspace.decide(state, command)


def _stream_of(event: Event) -> str:
    """What was retrieved is of no consequence: it must not stand in a stream whose version is expected."""
    if isinstance(event, memory_events.EVENTS):
        return memory.STREAM
    if isinstance(event, _CONTEXT_STREAMS):
        return f"session-{getattr(event, 'session_id', 0)}"
    if isinstance(event, ledger_events.EVENTS):
        return ledger_events.STREAM
    if isinstance(event, server_events.EVENTS):
        return "gateway"
    return f"context-{event.session_id}" if isinstance(event, ContentRetrieved) else sessions.stream_of(event)


def _bodies_of(event: Event, command: Command) -> tuple[Body, ...]:
    if isinstance(command, compaction.Decide) and isinstance(event, compaction_events.PrefixDecision):
        return command.bodies
    if isinstance(command, moving.ReassignExchanges) and isinstance(event, moving_events.ExchangeReassigned):
        return next(move.bodies for move in command.moves if move.exchange_id == event.exchange_id)
    if isinstance(event, memory_events.MemoryStored):
        stores = command.stores if isinstance(command, memory.CompressMemories) else (command,)
        return tuple(each.body for each in stores if _is_of(each, event))
    if isinstance(command, server_state.Command):
        return server_state.bodies_of(command)
    if isinstance(command, forking.ForkSession) and isinstance(event, forking_events.SessionForked):
        return command.bodies
    return ()


def _is_of(command: Command, event: memory_events.MemoryStored) -> TypeGuard[memory.StoreMemory]:
    return isinstance(command, memory.StoreMemory) and command.memory_id == event.memory_id
