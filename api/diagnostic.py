"""What the files hold, how large they are, and making them smaller (contract 9, 10)."""

import sqlite3

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.bodies import EmptyBody, read
from api.places import shown
from api.reading import PAST, Reads
from api.services import Use
from api.writing import Writes
from commands.workspace import RecordVacuum
from projections.sessions import sessions_by_provider
from projections.timeline import events_by_type
from projections.workspace import active_session_id
from schema.workspace import DatabaseVacuumed

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

_NOTE = "Sizes are those of all files of the data directory, now; counts are as of the position that was asked for."


class DatabaseSize(BaseModel):
    file_size_bytes: int
    file_size_mb: float
    path: str


class SessionCounts(BaseModel):
    """Deleted sessions are not counted."""

    total_count: int
    active_count: int
    inactive_count: int
    by_provider: dict[str, int]


class EventCounts(BaseModel):
    head: int
    by_type: dict[str, int]


class Diagnostic(BaseModel):
    database: DatabaseSize
    sessions: SessionCounts
    note: str
    events: EventCounts


class VacuumedDatabase(BaseModel):
    """Sizes of all files of the data directory."""

    path: str
    size_before_bytes: int
    size_after_bytes: int
    space_saved_bytes: int
    space_saved_mb: float


class VacuumDone(BaseModel):
    message: str
    database: VacuumedDatabase


class Counts(msgspec.Struct, frozen=True):
    by_provider: dict[str, int]
    by_type: dict[str, int]
    active: int | None


@router.get("/diagnostic", dependencies=PAST)
async def diagnostic(reads: Reads, services: Use) -> Diagnostic:
    """Sizes and counts."""
    counts = await reads.run(_counts)
    total = sum(counts.by_provider.values())
    active = 1 if counts.active is not None and total else 0
    size = services.vacuums.size()
    return Diagnostic(
        database=DatabaseSize(
            file_size_bytes=size, file_size_mb=round(size / (1 << 20), 2), path=shown(services.log.path)
        ),
        sessions=SessionCounts(
            total_count=total, active_count=active, inactive_count=total - active, by_provider=counts.by_provider
        ),
        note=_NOTE,
        events=EventCounts(head=reads.at, by_type=counts.by_type),
    )


@router.post("/vacuum", dependencies=[Depends(read(EmptyBody))])
async def vacuum(services: Use, writes: Writes) -> VacuumDone:
    """Give room that nothing needs back to the disk; requests go on meanwhile."""

    async def vacuumed() -> RecordVacuum:
        services.rebuilds.refuse_second()
        sizes = await services.vacuums.run()
        return RecordVacuum(sizes.before, sizes.after)

    outcome = await writes.append(vacuumed)
    event = next(event for event in outcome.events if isinstance(event, DatabaseVacuumed))
    saved = event.before_bytes - event.after_bytes
    database = VacuumedDatabase(
        path=shown(services.log.path),
        size_before_bytes=event.before_bytes,
        size_after_bytes=event.after_bytes,
        space_saved_bytes=saved,
        space_saved_mb=round(saved / (1 << 20), 2),
    )
    return VacuumDone(message=f"{saved:,} bytes were given back to the disk.", database=database)


def _counts(db: sqlite3.Connection, *, at: int) -> Counts:
    return Counts(sessions_by_provider(db, at=at), events_by_type(db, at=at), active_session_id(db, at=at))
