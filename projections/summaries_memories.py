"""What events of memories say."""

from collections.abc import Mapping

from projections.saying import Summary, Words, says
from schema.memory import MemoryDemoted, MemoryForgotten, MemoryPromoted, MemoryRecalled, MemoryRestored, MemoryStored
from schema.registry import Event


def _memory_stored(event: MemoryStored, _: str) -> tuple[str, Words]:
    text = f"memory {event.memory_id} stored in session {event.session_id} ({event.memory_type}, {event.origin})"
    return f"{text}: {event.tokens:,} tokens", (event.hash,)


def _memory_recalled(event: MemoryRecalled, _: str) -> tuple[str, Words]:
    memories = "a memory was" if len(event.memory_ids) == 1 else f"{len(event.memory_ids):,} memories were"
    return f"{memories} recalled ({event.cause}): {', '.join(map(str, event.memory_ids))}", ()


def _memory_promoted(event: MemoryPromoted, _: str) -> tuple[str, Words]:
    return f"memory {event.memory_id} promoted from {event.from_} to {event.to}", ()


def _memory_demoted(event: MemoryDemoted, _: str) -> tuple[str, Words]:
    return f"promotion of memory {event.memory_id} undone: {event.to} again", ()


def _memory_forgotten(event: MemoryForgotten, _: str) -> tuple[str, Words]:
    by = f", memory {event.superseded_by} takes its place" if event.superseded_by is not None else ""
    return f"memory {event.memory_id} forgotten ({event.cause}){by}", ()


def _memory_restored(event: MemoryRestored, _: str) -> tuple[str, Words]:
    return f"memory {event.memory_id} restored", ()


MEMORIES: Mapping[type[Event], Summary] = dict(
    (
        says(MemoryStored, _memory_stored),
        says(MemoryRecalled, _memory_recalled),
        says(MemoryPromoted, _memory_promoted),
        says(MemoryDemoted, _memory_demoted),
        says(MemoryForgotten, _memory_forgotten),
        says(MemoryRestored, _memory_restored),
    )
)
