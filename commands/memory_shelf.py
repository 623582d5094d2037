"""What is remembered, as decisions need it, and what they ask of it."""

from collections.abc import Container
from typing import assert_never

import msgspec

from commands.workspace import Workspace, family
from schema.memory import (
    ForgetCause,
    MemoryDemoted,
    MemoryForgotten,
    MemoryPromoted,
    MemoryRecalled,
    MemoryRestored,
    MemoryStored,
    MemoryType,
)
from schema.registry import Event

STRENGTH: tuple[MemoryType, ...] = ("episodic", "semantic", "frequent")  # the later ones last longer


class Kept(msgspec.Struct, gc=False):
    """A memory as decisions need it; `promoted_from` is what it was before its promotion."""

    session_id: int
    content_ref: str
    memory_type: MemoryType
    accesses: int = 1
    forgotten: ForgetCause | None = None
    promoted_from: MemoryType | None = None
    supersedes: tuple[int, ...] = ()
    superseded_by: int | None = None


class Shelf(msgspec.Struct):
    """All memories by their number, and their numbers by session and by text. `evolve` changes it in place."""

    memories: dict[int, Kept] = msgspec.field(default_factory=dict)
    of_session: dict[int, list[int]] = msgspec.field(default_factory=dict)
    texts: dict[str, list[int]] = msgspec.field(default_factory=dict)
    last_id: int = 0


def initial_state() -> Shelf:
    return Shelf()


def evolve(shelf: Shelf, event: Event) -> Shelf:
    if isinstance(event, MemoryStored):
        _put(shelf, event)
    elif isinstance(event, MemoryRecalled):
        for number in event.memory_ids:
            if number in shelf.memories:
                shelf.memories[number].accesses += 1
    elif isinstance(event, MemoryPromoted | MemoryDemoted | MemoryForgotten | MemoryRestored):
        kept = shelf.memories.get(event.memory_id)
        if kept is not None:
            _change(kept, event)
    return shelf


def _put(shelf: Shelf, event: MemoryStored) -> None:
    number, session_id = event.memory_id, event.session_id
    shelf.memories[number] = Kept(
        session_id, event.content_ref, event.memory_type, event.accesses or 1, supersedes=event.supersedes
    )
    shelf.of_session.setdefault(session_id, []).append(number)
    shelf.texts.setdefault(event.content_ref, []).append(number)
    shelf.last_id = max(shelf.last_id, number)


def _change(kept: Kept, event: MemoryPromoted | MemoryDemoted | MemoryForgotten | MemoryRestored) -> None:
    match event:
        case MemoryPromoted():
            kept.memory_type, kept.promoted_from = event.to, event.from_
        case MemoryDemoted():
            kept.memory_type, kept.promoted_from = event.to, None
        case MemoryForgotten():
            kept.forgotten, kept.superseded_by = event.cause, event.superseded_by
        case MemoryRestored():
            kept.forgotten, kept.superseded_by = None, None
        case _:
            assert_never(event)


def forgotten(shelf: Shelf, number: int, cause: ForgetCause, by: int | None = None) -> MemoryForgotten:
    session_id = shelf.memories[number].session_id
    return MemoryForgotten(session_id=session_id, memory_id=number, cause=cause, superseded_by=by)


def same_text(
    workspace: Workspace, shelf: Shelf, session_id: int, ref: str, besides: Container[int] = ()
) -> int | None:
    """The memory of the session, or of what became parts of it, that has this text; none of `besides`."""
    sessions = family(workspace, session_id)
    for number in shelf.texts.get(ref, ()):
        kept = shelf.memories[number]
        if kept.session_id in sessions and not kept.forgotten and number not in besides:
            return number
    return None


def ever_there(workspace: Workspace, shelf: Shelf, session_id: int, ref: str) -> bool:
    """Whether the session has, or had, a memory with this text."""
    sessions = family(workspace, session_id)
    return any(shelf.memories[number].session_id in sessions for number in shelf.texts.get(ref, ()))
