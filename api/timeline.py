"""A session's events as columns for charts and sliders (contract N15)."""

import sqlite3
from typing import Annotated

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict

from api.fields import FROM_TEXT, PathId
from api.reading import PAST, Reads
from api.services import Use
from api.session_answers import living_session
from api.times import iso
from api.views import usd
from projections.prices import last_repriced
from projections.session_timeline import TimelineColumns, last_position, sampled, session_timeline
from projections.sessions import SessionRow

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=PAST)


class Columns(BaseModel):
    """All of one length. `dt_ms` counts from `t0`, `type` is an index into `types`; `used` are the tokens in the
    context after the event; `saved` and `ratio` (percent) say what the event took off a request; `cost_usd` is what the
    session has cost so far."""

    position: list[int]
    dt_ms: list[int]
    type: list[int]
    used: list[int]
    max: list[int]
    reserved: list[int]
    saved: list[int]
    ratio: list[float | None]
    cost_usd: list[float | None]


class Timeline(BaseModel):
    """`total` counts all events; where they are more than asked for, `downsampled` says that some are left out: each
    stretch keeps its least and its most, and no compaction is missing. `position` is the last event's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": 5,
                    "position": 14,
                    "total": 2,
                    "downsampled": False,
                    "t0": "2026-11-22T23:33:51.123Z",
                    "types": ["SessionStarted", "ExchangeStarted"],
                    "columns": {
                        "position": [11, 13],
                        "dt_ms": [0, 4],
                        "type": [0, 1],
                        "used": [0, 0],
                        "max": [262144, 262144],
                        "reserved": [0, 0],
                        "saved": [0, 0],
                        "ratio": [None, None],
                        "cost_usd": [None, None],
                    },
                }
            ]
        }
    )

    session_id: int
    position: int
    total: int
    downsampled: bool
    t0: str
    types: list[str]
    columns: Columns


class Found(msgspec.Struct, frozen=True):
    """`columns` is None where the asker has them already; `changed` is the last event that has changed them."""

    session: SessionRow
    position: int
    changed: int
    columns: TimelineColumns | None


@router.get("/{session_id}/timeline", response_model=Timeline, responses={304: {"description": "Nothing has changed."}})
async def timeline(
    session_id: PathId,
    reads: Reads,
    services: Use,
    points: Annotated[int, Interval(ge=10, le=20_000), FROM_TEXT, Query()] = 2_000,
    if_none_match: Annotated[str | None, Header(max_length=4_096)] = None,
) -> Response:
    """The session's events, each with the state of the context after it."""
    found = await reads.run(_find, session_id, _tags(if_none_match))
    headers = {"ETag": f'"{found.changed}"', "Cache-Control": "no-cache", **reads.moment_header}
    if found.columns is None:
        return Response(status_code=304, headers=headers)
    most = services.catalogue.max_context(found.session.provider, found.session.model)
    default = found.session.defaults.reserved_tokens
    body = _body(found.session.id, found.position, found.columns, most, points, default)
    return Response(msgspec.json.encode(body), 200, headers, "application/json")


def _find(db: sqlite3.Connection, session_id: int, known: frozenset[str], *, at: int) -> Found:
    session = living_session(db, session_id, at=at)
    position = last_position(db, session_id, at=at)
    changed = max(position, last_repriced(db, at=at))
    if known & {f'"{changed}"', "*"}:
        return Found(session, position, changed, None)
    return Found(session, position, changed, session_timeline(db, session_id, at=at))


def _tags(header: str | None) -> frozenset[str]:
    """What If-None-Match names; a weak tag counts as the strong one."""
    return frozenset(part.strip().removeprefix("W/") for part in (header or "").split(",") if part.strip())


def _body(
    number: int, position: int, whole: TimelineColumns, most: int, points: int, default_reserved: int
) -> dict[str, object]:
    columns = sampled(whole, points)
    count, begun = len(columns.position), whole.timestamp[0]
    types = list(dict.fromkeys(columns.type))
    indexes = {name: index for index, name in enumerate(types)}
    return {
        "session_id": number,
        "position": position,
        "total": len(whole.position),
        "downsampled": columns is not whole,
        "t0": iso(begun),
        "types": types,
        "columns": {
            "position": columns.position,
            "dt_ms": [timestamp - begun for timestamp in columns.timestamp],
            "type": [indexes[name] for name in columns.type],
            "used": columns.used,
            "max": [most] * count,
            "reserved": [reserved if reserved is not None else default_reserved for reserved in columns.reserved],
            "saved": columns.saved,
            "ratio": columns.ratio,
            "cost_usd": [usd(cost) for cost in columns.cost],
        },
    }
