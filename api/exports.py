"""A session as a file: CSV for spreadsheets, JSON, or its events as JSON lines (contract 20, 21). Streamed, without a
limit of rows."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api import views
from api.csv_lines import lines, safe
from api.errors import ApiError
from api.fields import QueryId
from api.labels import Summaries
from api.missing import erased_sessions
from api.reading import PAST, Reads
from api.services import Services, Use
from api.session_answers import living_session
from api.times import iso
from projections.exchange_rows import ExchangeRow
from projections.exchanges import metrics_page
from projections.sessions import SessionRow
from projections.workspace import active_session_id

router = APIRouter(prefix="/api/export", tags=["exports"], dependencies=PAST)

_PAGE = 500
_COLUMNS = (
    *("Timestamp", "Tokens Total", "Pourcentage", "Aperçu"),
    *("Prompt Tokens", "Completion Tokens", "Type", "Source"),
)
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The file"}
}
_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
        "description": "The file",
    }
}


class Chosen(msgspec.Struct, frozen=True):
    """The session to export, and the position as of which."""

    session: SessionRow
    at: int


@router.get("/csv", response_class=StreamingResponse, responses=_FILES)
async def as_csv(reads: Reads, services: Use, session_id: QueryId = None) -> StreamingResponse:
    """The session's exchanges, newest first; by default those of the active session."""
    chosen = await reads.run(_chosen, session_id)
    stamp = iso(services.clock()).translate(str.maketrans("T", "_", "-:"))[:15]
    headers = {
        "Content-Disposition": f"attachment; filename=session_{chosen.session.id}_{stamp}.csv",
        **reads.moment_header,
    }
    return StreamingResponse(_csv(services, chosen), headers=headers, media_type="text/csv; charset=utf-8")


@router.get("/json", response_class=StreamingResponse, responses=_LINES)
async def as_json(
    reads: Reads,
    services: Use,
    session_id: QueryId = None,
    form: Annotated[Literal["json", "jsonl"], Query(alias="format")] = "json",
) -> StreamingResponse:
    """The session with its exchanges, newest first; as jsonl its events in order, one to a line."""
    chosen = await reads.run(_chosen, session_id)
    headers = reads.moment_header
    if form == "jsonl":
        return StreamingResponse(_events(services, chosen), headers=headers, media_type="application/x-ndjson")
    return StreamingResponse(_json(services, chosen), headers=headers, media_type="application/json")


def _chosen(db: sqlite3.Connection, session_id: int | None, *, at: int) -> Chosen:
    """Raises NotFoundError, and ApiError 404 where no session is active."""
    number = session_id if session_id is not None else active_session_id(db, at=at)
    if number is None:
        raise ApiError(404, "no_active_session", "No session is active.")
    return Chosen(living_session(db, number, at=at), at)


async def _pages(services: Services, chosen: Chosen) -> AsyncIterator[list[ExchangeRow]]:
    before: int | None = None
    while True:
        read = await services.reads.run(metrics_page, chosen.session.id, before=before, limit=_PAGE, at=chosen.at)
        if not read.value:
            return
        yield read.value
        before = read.value[-1].started_position


async def _csv(services: Services, chosen: Chosen) -> AsyncIterator[str]:
    yield lines([_COLUMNS])
    async for page in _pages(services, chosen):
        yield lines([_cells(row, services) for row in page])


def _cells(row: ExchangeRow, services: Services) -> tuple[object, ...]:
    metric = views.metric(row, services.catalogue)
    return (
        metric.timestamp,
        metric.estimated_tokens,
        f"{metric.percentage:.2f}%",
        safe(metric.content_preview or ""),
        metric.prompt_tokens,
        metric.completion_tokens,
        "Estimé" if metric.is_estimated else "Réel",
        metric.source,
    )


async def _json(services: Services, chosen: Chosen) -> AsyncIterator[str]:
    yield '{"session":' + views.session(chosen.session).model_dump_json() + ',"metrics":['
    comma = ""
    async for page in _pages(services, chosen):
        yield comma + ",".join(views.metric(row, services.catalogue).model_dump_json() for row in page)
        comma = ","
    yield f'],"exported_at":"{iso(services.clock())}"}}'


async def _events(services: Services, chosen: Chosen) -> AsyncIterator[str]:
    summaries = Summaries(services.log)
    after = 0
    while True:
        text, after = await asyncio.to_thread(_event_lines, services, chosen, summaries, after)
        if not text:
            return
        yield text


def _event_lines(services: Services, chosen: Chosen, summaries: Summaries, after: int) -> tuple[str, int]:
    """The next lines, and the position of the last of them."""
    found = services.log.read(after, upto=chosen.at, session_id=chosen.session.id, limit=_PAGE)
    erased = erased_sessions(services)
    lines = [views.event(recorded, summaries.of(recorded), erased).model_dump_json() + "\n" for recorded in found]
    return "".join(lines), found[-1].position if found else after
