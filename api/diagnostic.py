"""What the files hold and how large they are (contract 10)."""

import sqlite3
from pathlib import Path

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from api.reading import PAST, Reads
from api.services import Use
from projections.sessions import sessions_by_provider
from projections.timeline import events_by_type
from projections.workspace import active_session_id

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=PAST)

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


class Counts(msgspec.Struct, frozen=True):
    by_provider: dict[str, int]
    by_type: dict[str, int]
    active: int | None


@router.get("/diagnostic")
async def diagnostic(reads: Reads, services: Use) -> Diagnostic:
    """Sizes and counts."""
    counts = await reads.run(_counts)
    total = sum(counts.by_provider.values())
    active = 1 if counts.active is not None and total else 0
    size = sum(path.stat().st_size for path in services.log.path.parent.glob("*.sqlite*"))
    return Diagnostic(
        database=DatabaseSize(
            file_size_bytes=size, file_size_mb=round(size / (1 << 20), 2), path=_shown(services.log.path)
        ),
        sessions=SessionCounts(
            total_count=total, active_count=active, inactive_count=total - active, by_provider=counts.by_provider
        ),
        note=_NOTE,
        events=EventCounts(head=reads.at, by_type=counts.by_type),
    )


def _counts(db: sqlite3.Connection, *, at: int) -> Counts:
    return Counts(sessions_by_provider(db, at=at), events_by_type(db, at=at), active_session_id(db, at=at))


def _shown(path: Path) -> str:
    """The home directory is shown as `~` (contract 1.2)."""
    try:
        return f"~/{path.absolute().relative_to(Path.home())}"
    except ValueError:
        return str(path.absolute())
