"""Sessions: list, look at, start, rename, activate, delete (contract 3.1)."""

from typing import Annotated

from annotated_types import Interval
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api import shapes, views
from api.bodies import EmptyBody, RequestBody, documented, read
from api.errors import ApiError
from api.fields import FROM_TEXT, UNICODE, BodyId, Offset, PathId, QueryText, without_default
from api.reading import PAST, Reads
from api.services import Use
from api.session_answers import (
    Activated,
    AutoStatus,
    Deleted,
    active_rows,
    auto_status,
    deleted,
    living_session,
    session_rows,
)
from api.times import clock_text
from api.writing import Writes
from commands.sessions import DeleteSession, DeleteSessions, RenameSession, StartSession
from commands.workspace import ActivateSession, DisableAutoSession, EnableAutoSession
from projections.sessions import list_sessions
from schema.sessions import SessionStarted

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

Name = Annotated[str, Field(min_length=1, max_length=200), UNICODE]
ListLimit = Annotated[int, Interval(ge=1, le=1000), FROM_TEXT, Query()]
MetricsLimit = Annotated[int, Interval(ge=0, le=200), FROM_TEXT, Query()]


class StartBody(RequestBody):
    """Left out, the name tells the time and the provider is the default one. Both are labels: a request's own model
    picks where it goes."""

    name: Name = Field(default="", examples=["Refactoring the parser"], json_schema_extra=without_default)
    provider: Annotated[str, Field(min_length=1, max_length=128, json_schema_extra=without_default), UNICODE] = ""
    model: Annotated[str, Field(max_length=256), UNICODE] | None = None


class RenameBody(RequestBody):
    name: Name


class ToggleBody(RequestBody):
    enabled: bool = True


class DeleteBody(RequestBody):
    session_ids: Annotated[list[BodyId], Field(min_length=1, max_length=1000)]


@router.get("", dependencies=PAST)
async def list_all(
    reads: Reads, response: Response, limit: ListLimit = 1000, offset: Offset = 0, q: QueryText = None
) -> list[shapes.Session]:
    """Sessions, newest first; `q` is searched in their names."""
    page = await reads.run(list_sessions, limit=limit, offset=offset, q=q)
    response.headers["X-Total-Count"] = str(page.total)
    return [views.session(row) for row in page.rows]


@router.post("", openapi_extra=documented(StartBody))
async def start(body: Annotated[StartBody, Depends(read(StartBody))], services: Use, writes: Writes) -> shapes.SessionX:
    """Start a session and make it the active one."""
    number = services.handler.next_session_id()
    name = body.name or f"Session {clock_text(services.clock())}"
    provider = body.provider or services.default_provider
    outcome = await writes.append(StartSession(session_id=number, name=name, provider=provider, model=body.model))
    # an earlier session's number, where the request came again
    number = next(event.session_id for event in outcome.events if isinstance(event, SessionStarted))
    return views.session_x(await writes.read(outcome, living_session, number), services.catalogue)


@router.delete("", openapi_extra=documented(DeleteBody))
async def delete_many(body: Annotated[DeleteBody, Depends(read(DeleteBody))], services: Use, writes: Writes) -> Deleted:
    """Delete all of these sessions, or none."""
    command = DeleteSessions(tuple(body.session_ids), services.running())
    return deleted((await writes.append(command)).count)


@router.get("/active", dependencies=PAST)
async def active(reads: Reads, services: Use, metrics_limit: MetricsLimit = 50) -> shapes.SessionDetail:
    """The session that the dashboard looks at."""
    rows = await reads.run(active_rows, metrics_limit)
    if rows is None:
        raise ApiError(404, "no_active_session", "No session is active.")
    return views.session_detail(rows.session, rows.stats, rows.exchanges, services.catalogue, limit=metrics_limit)


@router.get("/auto-status", dependencies=PAST)
async def auto(reads: Reads) -> AutoStatus:
    """Whether unknown conversations start sessions of their own."""
    return await reads.run(auto_status)


@router.post("/toggle-auto", openapi_extra=documented(ToggleBody))
async def toggle_auto(body: Annotated[ToggleBody, Depends(read(ToggleBody))], writes: Writes) -> AutoStatus:
    """Switch automatic sessions on or off."""
    return await writes.execute(EnableAutoSession() if body.enabled else DisableAutoSession(), auto_status)


@router.get("/{session_id}", dependencies=PAST)
async def get(
    session_id: PathId, reads: Reads, services: Use, metrics_limit: MetricsLimit = 50
) -> shapes.SessionDetail:
    """One session with its totals and newest exchanges."""
    rows = await reads.run(session_rows, session_id, metrics_limit)
    return views.session_detail(rows.session, rows.stats, rows.exchanges, services.catalogue, limit=metrics_limit)


@router.patch("/{session_id}", openapi_extra=documented(RenameBody))
async def rename(
    session_id: PathId, body: Annotated[RenameBody, Depends(read(RenameBody))], writes: Writes
) -> shapes.Session:
    """Rename a session."""
    return views.session(await writes.execute(RenameSession(session_id, body.name), living_session, session_id))


@router.delete("/{session_id}", dependencies=[Depends(read(EmptyBody))])
async def delete(session_id: PathId, services: Use, writes: Writes) -> Deleted:
    """Delete a session; its exchanges stay in the log and in all sums."""
    return deleted((await writes.append(DeleteSession(session_id, services.running()))).count)


@router.post("/{session_id}/activate", dependencies=[Depends(read(EmptyBody))])
async def activate(session_id: PathId, writes: Writes) -> Activated:
    """Make a session the active one."""
    row = await writes.execute(ActivateSession(session_id), living_session, session_id)
    return Activated(message=f"Session {session_id} is active.", session_id=session_id, session=views.session(row))
