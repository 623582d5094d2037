"""Requests that were refused before anything went upstream, as a list of exchanges shows them. They have no exchange:
they are told by their events, one for each session (or key), code and minute, with a count."""

import asyncio
import sqlite3

import msgspec
from pydantic import BaseModel

from api.services import Services
from api.times import iso
from projections.timeline import EventRow, list_events
from schema.exchanges import ExchangeRefused, LimitUnit
from schema.log import EventLog

_TYPE = ExchangeRefused.__name__
_MOST = 100_000  # events, of which there is one a minute: two months of refusing all the time


class RefusedRequests(BaseModel):
    """`count` requests since the last such event; `tokens` of the last one; `by` is the name of a configured key."""

    position: int
    session_id: int | None
    timestamp: str
    code: str
    count: int
    tokens: int
    limit: int
    unit: LimitUnit | None
    scope: str | None
    model_sent: str
    provider: str
    by: str | None


class RefusedPage(msgspec.Struct, frozen=True):
    """Newest first; `total` counts the events."""

    rows: list[RefusedRequests]
    total: int


def refused_events(db: sqlite3.Connection, session_id: int | None, *, at: int) -> list[EventRow]:
    """Newest first."""
    return list_events(db, at=at, session_id=session_id, types=(_TYPE,), limit=_MOST).rows


async def refused_page(
    services: Services, events: list[EventRow], *, model: str | None, limit: int, offset: int
) -> RefusedPage:
    """What the events say; `model` is the name that would have gone upstream."""
    if model is None:
        shown = await asyncio.to_thread(_read, services.log, events[offset : offset + limit])
        return RefusedPage(shown, len(events))
    found = [row for row in await asyncio.to_thread(_read, services.log, events) if row.model_sent == model]
    return RefusedPage(found[offset : offset + limit], len(found))


def _read(log: EventLog, rows: list[EventRow]) -> list[RefusedRequests]:
    found: list[RefusedRequests] = []
    for row in rows:
        for recorded in log.read(row.position - 1, upto=row.position):
            event = recorded.event
            if isinstance(event, ExchangeRefused):
                fields = {name: getattr(event, name) for name in _FIELDS}
                found.append(
                    RefusedRequests(position=row.position, timestamp=iso(row.timestamp), by=recorded.by, **fields)
                )
    return found


_FIELDS = ("session_id", "code", "count", "tokens", "limit", "unit", "scope", "model_sent", "provider")
