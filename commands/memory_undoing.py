"""Bringing back what was forgotten, and one memory where merged sessions have the same text twice.

A memory that a compression put in the place of others and those others are never there together: who brings one of
them back undoes the compression, and who brings back the one does it again.
"""

from collections.abc import Iterator, Sequence

from commands.errors import ConflictError
from commands.memory_shelf import STRENGTH, Kept, Shelf, forgotten, same_text
from commands.workspace import Workspace, family
from schema.memory import MemoryForgotten, MemoryRestored
from schema.registry import Event


def restored(workspace: Workspace, shelf: Shelf, number: int, kept: Kept) -> list[Event]:
    """Raises ConflictError."""
    if not kept.forgotten:
        return []
    undone = _in_its_place(shelf, number)
    again = [each for each in kept.supersedes if _there(shelf, each)] if kept.forgotten == "undone" else []
    same = same_text(workspace, shelf, kept.session_id, kept.content_ref, (*undone, *again))
    if same is not None:
        text = f"Memory {same} of the session has the same text."
        raise ConflictError("already_remembered", text, memory_id=same)
    events: list[Event] = [forgotten(shelf, each, "undone") for each in reversed(undone)]
    others = [each for each in _sources(shelf, undone) if each != number and _missing(workspace, shelf, each, undone)]
    events += [_back(shelf, each) for each in sorted((number, *others))]
    return events + [forgotten(shelf, each, "compressed", number) for each in again]


def one_of_each(workspace: Workspace, shelf: Shelf, session_ids: Sequence[int]) -> list[MemoryForgotten]:
    """Of sessions that become one, those memories whose text another one has, which lasts longer."""
    found: dict[str, list[int]] = {}
    for session_id in dict.fromkeys(each for root in session_ids for each in family(workspace, root)):
        for number in shelf.of_session.get(session_id, ()):
            if _there(shelf, number):
                found.setdefault(shelf.memories[number].content_ref, []).append(number)
    events: list[MemoryForgotten] = []
    for numbers in found.values():
        best = max(numbers, key=lambda each: _worth(shelf.memories[each]))  # of equal ones the first: the target's
        events += [forgotten(shelf, each, "merged", best) for each in numbers if each != best]
    return events


def _worth(kept: Kept) -> tuple[int, int]:
    return STRENGTH.index(kept.memory_type), kept.accesses


def _in_its_place(shelf: Shelf, number: int) -> list[int]:
    """What compressions put in its place, one after the other up to the one that is there; none where that one was
    forgotten since."""
    found: list[int] = []
    kept: Kept | None = shelf.memories[number]
    while kept is not None and kept.forgotten == "compressed" and kept.superseded_by is not None:
        if kept.superseded_by in found:
            return []
        found.append(kept.superseded_by)
        kept = shelf.memories.get(kept.superseded_by)
    return found if kept is not None and not kept.forgotten else []


def _sources(shelf: Shelf, undone: Sequence[int]) -> Iterator[int]:
    """What was forgotten for the sake of these, but for themselves."""
    for made in undone:
        for number in shelf.memories[made].supersedes:
            kept = shelf.memories.get(number)
            if kept is None or number in undone:
                continue
            if kept.forgotten == "compressed" and kept.superseded_by == made:
                yield number


def _missing(workspace: Workspace, shelf: Shelf, number: int, undone: Sequence[int]) -> bool:
    kept = shelf.memories[number]
    return same_text(workspace, shelf, kept.session_id, kept.content_ref, undone) is None


def _there(shelf: Shelf, number: int) -> bool:
    return number in shelf.memories and not shelf.memories[number].forgotten


def _back(shelf: Shelf, number: int) -> MemoryRestored:
    return MemoryRestored(session_id=shelf.memories[number].session_id, memory_id=number)
