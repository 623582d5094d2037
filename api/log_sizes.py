"""What the log takes, by session, and the room that is left."""

import asyncio
from typing import Annotated

from annotated_types import Interval
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.disk import Status, disk_of
from api.fields import FROM_TEXT
from api.reading import PAST, Reads
from api.services import Use
from projections.sessions import ERASED_NAME, session_names
from schema.sizes import sizes

router = APIRouter(prefix="/api/log", tags=["log"], dependencies=PAST)

_NO_SESSION = "[no session]"  # 0: what tools were told without one


class SessionSize(BaseModel):
    """`stored_bytes` are the events' data and the bodies, compressed and sealed; `share` is of all sessions, in per
    cent."""

    session_id: int
    name: str
    events: int
    stored_bytes: int
    share: float


class DiskRoom(BaseModel):
    """`low` below 1 GiB, `critical` below 100 MiB."""

    free_bytes: int
    status: Status


class LogSizes(BaseModel):
    """`file_size_bytes` and `disk` are of now."""

    sessions: list[SessionSize]
    total: int
    events: int
    stored_bytes: int
    file_size_bytes: int
    disk: DiskRoom


@router.get("/sizes")
async def log_sizes(
    reads: Reads, services: Use, limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 20
) -> LogSizes:
    """The largest sessions first. Reads the whole log: about a second for a million events."""
    names = await reads.run(session_names)
    found = await asyncio.to_thread(sizes, services.log, reads.at)
    disk = await asyncio.to_thread(disk_of, services.log.path.parent)
    stored = sum(each.stored_bytes for each in found)
    of_all = sum(each.stored_bytes for each in found if each.session_id is not None)
    of_sessions = [
        SessionSize(
            session_id=each.session_id,
            name=names.get(each.session_id, ERASED_NAME if each.session_id else _NO_SESSION),
            events=each.events,
            stored_bytes=each.stored_bytes,
            share=round(100 * each.stored_bytes / of_all, 2),
        )
        for each in found
        if each.session_id is not None
    ]
    return LogSizes(
        sessions=of_sessions[:limit],
        total=len(of_sessions),
        events=sum(each.events for each in found),
        stored_bytes=stored,
        file_size_bytes=services.vacuums.size(),
        disk=DiskRoom(free_bytes=disk.free_bytes, status=disk.status),
    )
