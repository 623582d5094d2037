"""Keeping what is remembered in order, and undoing that: cleaning up, promoting, forgetting, restoring (contract 40,
41), and one memory with where it comes from."""

import sqlite3
from typing import Annotated, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api import memory_shapes as shapes
from api.bodies import EmptyBody, read
from api.errors import ApiError
from api.fields import FROM_TEXT, PathId
from api.memory_desk import MemoryDesk
from api.reading import PAST, Reads
from api.services import Use
from api.times import iso
from api.writing import Writes
from commands.deciding import Command
from commands.handling import Outcome
from commands.memory import FREQUENT, CleanUpMemories, DemoteMemory, ForgetMemory, PromoteMemories, RestoreMemory
from projections.memory_lists import MemoryRow, get_memory, older_than
from projections.timeline import get_event
from schema.memory import MemoryForgotten, MemoryPromoted, MemoryType

router = APIRouter(prefix="/api/memory", tags=["memory"], dependencies=[])

_DAY_MS = 86_400_000


class CleanedUp(BaseModel):
    """`memory_ids` can be restored."""

    deleted_count: int
    max_age_days: int
    timestamp: str
    memory_ids: list[int]


class Promoted(BaseModel):
    """`memory_ids` can be demoted."""

    session_id: int
    promoted_count: int
    message: str
    memory_ids: list[int]


class Changed(BaseModel):
    """How a memory is now; `changed` is false where it was so already."""

    success: Literal[True]
    memory_id: int
    session_id: int
    memory_type: MemoryType
    forgotten: str | None
    changed: bool


class Moment(msgspec.Struct, frozen=True):
    timestamp: int


@router.post("/cleanup", dependencies=[Depends(read(EmptyBody))])
async def clean_up(
    services: Use,
    writes: Writes,
    max_age_days: Annotated[int, Interval(ge=0, le=3_650), FROM_TEXT, Query()] = 30,
) -> CleanedUp:
    """Forget episodic memories that are older and were hardly of use. They can be restored."""

    async def work() -> Command:
        await writes.caught_up()
        before = services.clock() - max_age_days * _DAY_MS
        return CleanUpMemories(tuple((await services.reads.run(older_than, before, FREQUENT - 1)).value))

    outcome = await writes.append(work)
    forgotten = [event.memory_id for event in outcome.events if isinstance(event, MemoryForgotten)]
    return CleanedUp(
        deleted_count=len(forgotten),
        max_age_days=max_age_days,
        timestamp=iso((await writes.read(outcome, _moment, services.clock())).timestamp),
        memory_ids=forgotten,
    )


@router.post("/promote-patterns/{session_id}", dependencies=[Depends(read(EmptyBody))])
async def promote(session_id: PathId, writes: Writes) -> Promoted:
    """Episodic memories that were of use three times or more are frequent from now on. They can be demoted."""
    outcome = await writes.append(PromoteMemories(session_id))
    promoted = [event.memory_id for event in outcome.events if isinstance(event, MemoryPromoted)]
    plural = "memory was" if len(promoted) == 1 else "memories were"
    return Promoted(
        session_id=session_id,
        promoted_count=len(promoted),
        message=f"{len(promoted)} {plural} promoted.",
        memory_ids=promoted,
    )


@router.get("/{memory_id}", dependencies=PAST, response_model_exclude_unset=True)
async def get(memory_id: PathId, reads: Reads, services: Use) -> shapes.Memory:
    """A memory, also a forgotten one, with where it comes from and what else says nearly the same."""
    row, near = await reads.run(_with_near, memory_id, services.memory)
    return shapes.memory(row, near)


@router.delete("/{memory_id}", dependencies=[Depends(read(EmptyBody))])
async def forget(memory_id: PathId, writes: Writes) -> Changed:
    """Take a memory out of lists and searches. It can be restored; erasing its session destroys its text."""
    return await _changed(writes, memory_id, await writes.append(ForgetMemory(memory_id)))


@router.post("/{memory_id}/restore", dependencies=[Depends(read(EmptyBody))])
async def restore(memory_id: PathId, writes: Writes) -> Changed:
    """Undo that a memory was forgotten: by hand, by a cleanup, or by a compression."""
    return await _changed(writes, memory_id, await writes.append(RestoreMemory(memory_id)))


@router.post("/{memory_id}/demote", dependencies=[Depends(read(EmptyBody))])
async def demote(memory_id: PathId, writes: Writes) -> Changed:
    """Undo the promotion of a memory."""
    return await _changed(writes, memory_id, await writes.append(DemoteMemory(memory_id)))


async def _changed(writes: Writes, memory_id: int, outcome: Outcome) -> Changed:
    row = await writes.read(outcome, _known, memory_id)
    return Changed(
        success=True,
        memory_id=row.id,
        session_id=row.session_id,
        memory_type=row.memory_type,
        forgotten=row.gone,
        changed=outcome.count > 0,
    )


def _with_near(
    db: sqlite3.Connection, memory_id: int, desk: MemoryDesk, *, at: int
) -> tuple[MemoryRow, list[tuple[int, float]]]:
    """Raises ApiError 404."""
    row = _known(db, memory_id, at=at)
    return row, desk.near_duplicates(db, row, at=at)


def _known(db: sqlite3.Connection, memory_id: int, *, at: int) -> MemoryRow:
    """Raises ApiError 404."""
    row = get_memory(db, memory_id, at=at)
    if row is None:
        raise ApiError(404, "memory_not_found", f"There is no memory {memory_id}.", context={"memory_id": memory_id})
    return row


def _moment(db: sqlite3.Connection, now: int, *, at: int) -> Moment:
    """The time of the last event, so that a repeated answer is the same; now, where there is none."""
    event = get_event(db, at, at=at)
    return Moment(event.timestamp if event is not None else now)
