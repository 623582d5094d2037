"""The log as people read it: a searchable list, and every event with its data (contract N11, N12)."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from api import shapes, views
from api.csv_lines import lines, safe
from api.errors import ApiError
from api.event_detail import detail
from api.fields import FROM_TEXT, PathId, QueryId, QueryText
from api.reading import LIVE, PAST, Moment, Reading, Reads, moment_of, require_ready
from api.services import Use
from api.session_answers import living_session
from projections.timeline import EventPage, Order, list_events, position_at_time
from projections.unreadable import unreadable_between
from schema.unreadable import Unreadable

router = APIRouter(tags=["events"])

_ALSO_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        }
    }
}
_COLUMNS = (
    *("position", "timestamp", "type", "session_id", "actor", "by"),
    *("correlation_id", "causation_position", "summary"),
)
PointText = Annotated[str | None, Query(max_length=64)]


class Page(msgspec.Struct, frozen=True):
    """`unreadable` are those of its events that cannot be read, by their positions."""

    events: EventPage
    unreadable: dict[int, Unreadable]


class Span(msgspec.Struct, frozen=True):
    """Both ends inclusive; None leaves an end open."""

    first: Moment | None
    last: Moment | None


class EventList(BaseModel):
    """`next_cursor` continues behind the last event shown; `head` is the position as of which the list was made."""

    events: list[shapes.EventSummary]
    next_cursor: str | None
    head: int
    total: int


class Asked:
    """What a list of events asks: two positions or times, both inclusive, and what is searched for."""

    def __init__(
        self,
        types: Annotated[list[str] | None, Query(alias="type", max_length=50)] = None,
        first: Annotated[PointText, Query(alias="from")] = None,
        last: Annotated[PointText, Query(alias="to")] = None,
        q: QueryText = None,
        correlation_id: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
        order: Order = "desc",
        limit: Annotated[int, Interval(ge=1, le=1000), FROM_TEXT, Query()] = 100,
        cursor: QueryText = None,
        form: Annotated[Literal["json", "jsonl", "csv"], Query(alias="format")] = "json",
    ) -> None:
        self.span = Span(_moment(first, "from"), _moment(last, "to"))
        self.filter = {"types": types or (), "q": q, "order": order, "limit": limit, "cursor": cursor}
        self.filter["correlation_id"] = correlation_id
        self.form = form


@router.get("/api/events", dependencies=PAST, response_model=EventList, responses=_ALSO_LINES)
async def list_all(
    reads: Reads, response: Response, asked: Annotated[Asked, Depends()], session_id: QueryId = None
) -> EventList | Response:
    """Events, newest first; as jsonl or csv one to a line, the cursor in X-Next-Cursor. `correlation_id` is the
    X-Request-Id of a request: all that it caused."""
    page = await reads.run(_page, events_between, asked.span, session_id=session_id, **asked.filter)
    return _answer(page, reads, response, asked)


@router.get("/api/sessions/{session_id}/events", dependencies=PAST, response_model=EventList, responses=_ALSO_LINES)
async def list_of_session(
    session_id: PathId, reads: Reads, response: Response, asked: Annotated[Asked, Depends()]
) -> EventList | Response:
    """The same about one session."""
    page = await reads.run(_page, _of_living, asked.span, session_id=session_id, **asked.filter)
    return _answer(page, reads, response, asked)


@router.get("/api/events/{position}", dependencies=[*LIVE, Depends(require_ready)])
async def get(position: PathId, services: Use) -> shapes.EventDetail:
    """One event with all its data and what it changed; contents of messages stand in it as refs."""
    recorded = await asyncio.to_thread(services.log.at, position)
    if recorded is None:
        raise ApiError(404, "event_not_found", f"There is no event {position}.")
    return await detail(services, recorded)


def events_between(
    db: sqlite3.Connection,
    span: Span,
    *,
    at: int,
    session_id: int | None,
    types: Sequence[str],
    q: str | None,
    correlation_id: str | None,
    order: Order,
    limit: int,
    cursor: str | None,
) -> EventPage:
    """`list_events` of a span that may be given in times. Raises CursorError."""
    start, end = (moment.position if moment else None for moment in (span.first, span.last))
    if span.first is not None and span.first.ms is not None:
        # the first event not earlier than a time follows the last one that is earlier
        start = position_at_time(db, span.first.ms - 1, at=at) + 1
    if span.last is not None and span.last.ms is not None:
        end = position_at_time(db, span.last.ms, at=at)
    return list_events(
        db,
        at=at,
        session_id=session_id,
        types=types,
        from_position=start,
        to_position=end,
        q=q,
        correlation_id=correlation_id,
        order=order,
        limit=limit,
        cursor=cursor,
    )


def _page(db: sqlite3.Connection, find: Callable[..., EventPage], span: Span, *, at: int, **asked: Any) -> Page:
    page = find(db, span, at=at, **asked)
    shown = [row.position for row in page.rows]
    return Page(page, unreadable_between(db, min(shown), max(shown)) if shown else {})


def _of_living(db: sqlite3.Connection, span: Span, *, at: int, session_id: int, **asked: Any) -> EventPage:
    """Raises NotFoundError for a session that did not exist or was deleted."""
    living_session(db, session_id, at=at)
    return events_between(db, span, at=at, session_id=session_id, **asked)


def _answer(read: Page, reads: Reading, response: Response, asked: Asked) -> EventList | Response:
    page, unreadable = read.events, read.unreadable
    found = [views.event_summary(row, unreadable.get(row.position)) for row in page.rows]
    if asked.form != "json":
        return _lines(found, page, response, asked.form)
    return EventList(events=found, next_cursor=page.next_cursor, head=reads.at, total=page.total)


def _moment(text: str | None, name: str) -> Moment | None:
    return None if text is None else moment_of(text, name)


def _lines(
    found: list[shapes.EventSummary], page: EventPage, response: Response, form: Literal["jsonl", "csv"]
) -> Response:
    headers = dict(response.headers) | {"X-Total-Count": str(page.total)}
    if page.next_cursor is not None:
        headers["X-Next-Cursor"] = page.next_cursor
    if form == "csv":
        rows = (tuple(_cell(getattr(summary, name)) for name in _COLUMNS) for summary in found)
        return Response(lines([_COLUMNS, *rows]), headers=headers, media_type="text/csv; charset=utf-8")
    text = "".join(f"{summary.model_dump_json()}\n" for summary in found)
    return Response(text, headers=headers, media_type="application/x-ndjson")


def _cell(value: int | str | None) -> int | str:
    return value if isinstance(value, int) else safe(value or "")
