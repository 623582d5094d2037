"""Remembering: texts are stored once in a session, recalled, promoted, forgotten, and each of these can be undone.

Which sessions there are is the workspace's to say; what is remembered stands in a state of its own, which is folded
when it is first needed.
"""

from collections.abc import Iterable
from typing import Any, assert_never

import msgspec

from commands.errors import NotFoundError
from commands.memory_shelf import STRENGTH, Kept, Shelf, ever_there, forgotten, same_text
from commands.memory_undoing import restored
from commands.workspace import Workspace, family, require, whole
from schema.memory import (
    MemoryDemoted,
    MemoryPromoted,
    MemoryRecalled,
    MemoryStored,
    MemoryType,
    Origin,
    RecallCause,
)
from schema.recorded import Body
from schema.registry import Event

STREAM = "memory"
FREQUENT = 3  # accesses that make a memory worth keeping


class StoreMemory(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is the text; `supersedes` are forgotten with it, all of them or none."""

    session_id: int
    memory_id: int
    memory_type: MemoryType
    body: Body
    tokens: int
    preview: str
    metadata: str | None = None
    origin: Origin = "api"
    exchange_id: int | None = None
    message_ref: str | None = None
    supersedes: tuple[int, ...] = ()


class CompressMemories(msgspec.Struct, frozen=True):
    """Each of `stores` takes the place of others, `forget` go without one. All of it or nothing."""

    stores: tuple[StoreMemory, ...]
    forget: tuple[int, ...] = ()


class RecallMemories(msgspec.Struct, frozen=True):
    """Those that were found; `session_id` is None for a search in all sessions."""

    session_id: int | None
    memory_ids: tuple[int, ...]
    cause: RecallCause


class PromoteMemories(msgspec.Struct, frozen=True):
    """All of a session that were of use often enough."""

    session_id: int


class CleanUpMemories(msgspec.Struct, frozen=True):
    """Of `memory_ids`, which are old enough, those that were hardly of use."""

    memory_ids: tuple[int, ...]


class ForgetMemory(msgspec.Struct, frozen=True):
    memory_id: int


class RestoreMemory(msgspec.Struct, frozen=True):
    memory_id: int


class DemoteMemory(msgspec.Struct, frozen=True):
    memory_id: int


Command = (
    StoreMemory
    | CompressMemories
    | RecallMemories
    | PromoteMemories
    | CleanUpMemories
    | ForgetMemory
    | RestoreMemory
    | DemoteMemory
)


def decide(workspace: Workspace, shelf: Shelf, command: Command) -> list[Event]:
    """The events that `command` causes, none when all is so already. Raises CommandError."""
    match command:
        case StoreMemory():
            return _store(workspace, shelf, command)
        case CompressMemories(stores, forget):
            return _compress(workspace, shelf, stores, forget)
        case RecallMemories(session_id, numbers, cause):
            found = MemoryRecalled(session_id=session_id, memory_ids=numbers, cause=cause)
            return [found] if numbers else []
        case PromoteMemories(session_id):
            require(workspace, session_id)
            return [_promoted(shelf, number) for number in _of_use(workspace, shelf, session_id)]
        case CleanUpMemories(numbers):
            return [forgotten(shelf, number, "cleanup") for number in numbers if _hardly_used(workspace, shelf, number)]
        case ForgetMemory(number):
            return [] if _known(workspace, shelf, number).forgotten else [forgotten(shelf, number, "asked")]
        case RestoreMemory(number):
            return restored(workspace, shelf, number, _known(workspace, shelf, number))
        case DemoteMemory(number):
            return _demote(workspace, shelf, number)
        case _:
            assert_never(command)


def _store(workspace: Workspace, shelf: Shelf, command: StoreMemory) -> list[Event]:
    """The same text in the same session is one memory. What was detected is not taken for a use of it, and does not
    bring back what was forgotten."""
    require(workspace, command.session_id)
    if command.origin == "detected" and ever_there(workspace, shelf, command.session_id, command.body.ref):
        return []
    same = same_text(workspace, shelf, command.session_id, command.body.ref)
    if same is not None and not command.supersedes:
        return [MemoryRecalled(session_id=command.session_id, memory_ids=(same,), cause="restored")]
    return [_stored(command)]


def _compress(workspace: Workspace, shelf: Shelf, stores: Iterable[StoreMemory], forget: Iterable[int]) -> list[Event]:
    events: list[Event] = []
    for store in stores:
        require(workspace, store.session_id)
        _all_alive(workspace, shelf, store.supersedes)
        events.append(_standing_for(shelf, store))
        events += [forgotten(shelf, number, "compressed", store.memory_id) for number in store.supersedes]
    _all_alive(workspace, shelf, forget)
    return events + [forgotten(shelf, number, "compressed") for number in forget]


def _demote(workspace: Workspace, shelf: Shelf, number: int) -> list[Event]:
    kept = _known(workspace, shelf, number)
    if kept.promoted_from is None:
        return []
    change: dict[str, Any] = {"from_": kept.memory_type, "to": kept.promoted_from}
    return [MemoryDemoted(session_id=kept.session_id, memory_id=number, **change)]


def _standing_for(shelf: Shelf, command: StoreMemory) -> MemoryStored:
    """It is of as much use as what it takes the place of, so that no cleanup takes it for new."""
    sources = [shelf.memories[number] for number in command.supersedes]
    if not sources:
        return _stored(command)
    strongest = max((each.memory_type for each in sources), key=STRENGTH.index)
    kept = msgspec.structs.replace(command, memory_type=strongest)
    accesses = max(each.accesses for each in sources)
    return _stored(kept, accesses if accesses > 1 else None)


def _stored(command: StoreMemory, accesses: int | None = None) -> MemoryStored:
    ref = command.body.ref
    return MemoryStored(
        session_id=command.session_id,
        memory_id=command.memory_id,
        memory_type=command.memory_type,
        content_ref=ref,
        hash=ref[:16],
        tokens=command.tokens,
        origin=command.origin,
        exchange_id=command.exchange_id,
        message_ref=command.message_ref,
        supersedes=command.supersedes,
        accesses=accesses,
        metadata=command.metadata,
        preview=command.preview,
    )


def _promoted(shelf: Shelf, number: int) -> MemoryPromoted:
    kept = shelf.memories[number]
    return MemoryPromoted(session_id=kept.session_id, memory_id=number, from_=kept.memory_type, to="frequent")


def _of_use(workspace: Workspace, shelf: Shelf, session_id: int) -> list[int]:
    numbers = (number for each in family(workspace, session_id) for number in shelf.of_session.get(each, ()))
    return sorted(number for number in numbers if _is_of_use(shelf.memories[number]))


def _is_of_use(kept: Kept) -> bool:
    return kept.memory_type == "episodic" and kept.accesses >= FREQUENT and not kept.forgotten


def _hardly_used(workspace: Workspace, shelf: Shelf, number: int) -> bool:
    kept = shelf.memories.get(number)
    if kept is None or kept.forgotten or not _lives(workspace, kept.session_id):
        return False
    return kept.memory_type == "episodic" and kept.accesses < FREQUENT


def _known(workspace: Workspace, shelf: Shelf, number: int) -> Kept:
    """Raises NotFoundError, and GoneError where it was erased."""
    kept = shelf.memories.get(number)
    if kept is None:
        raise memory_not_found(number)
    require(workspace, whole(workspace, kept.session_id))
    return kept


def _all_alive(workspace: Workspace, shelf: Shelf, numbers: Iterable[int]) -> None:
    for number in numbers:
        if _known(workspace, shelf, number).forgotten:
            raise memory_not_found(number)


def _lives(workspace: Workspace, session_id: int) -> bool:
    return whole(workspace, session_id) in workspace.sessions


def memory_not_found(number: int) -> NotFoundError:
    return NotFoundError("memory_not_found", f"There is no memory {number}.", memory_id=number)
