"""Exchanges: what came in, what went upstream and how it ended (contract N18, N19)."""

import sqlite3
from typing import Annotated, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api import exchange_shapes, views
from api.errors import ApiError
from api.fields import FROM_TEXT, Offset, PathId, QueryId, QueryText
from api.messages import difference
from api.reading import PAST, Reads
from api.refused_requests import RefusedRequests, refused_events, refused_page
from api.services import Use
from projections.exchange_lists import list_exchanges
from projections.exchange_rows import ExchangeRow
from projections.exchanges import exchange_refs, get_exchange
from projections.masks import ReplacementRow, replacements

Wanted = Literal["running", "completed", "failed", "cancelled", "interrupted", "refused"]  # one type: one error of it

router = APIRouter(prefix="/api/exchanges", tags=["exchanges"], dependencies=PAST)


class ExchangeList(BaseModel):
    """`refusals` where those were asked for, else null: they are no exchanges, and `total` counts them then."""

    exchanges: list[exchange_shapes.ExchangeSummary]
    total: int
    refusals: list[RefusedRequests] | None = None


class ExchangeRows(msgspec.Struct, frozen=True):
    """An exchange with its full lists of message refs."""

    exchange: ExchangeRow
    received: tuple[str, ...]
    sent: tuple[str, ...]
    known: dict[str, ReplacementRow]


@router.get("")
async def list_all(
    reads: Reads,
    services: Use,
    session_id: QueryId = None,
    outcome: Wanted | None = None,
    model: QueryText = None,
    limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 50,
    offset: Offset = 0,
) -> ExchangeList:
    """Exchanges newest first; `model` is the name that the client used, or that went upstream: where there was a
    fallback, the last one. What the proxy refused has no exchange: with `outcome=refused` it is told in `refusals`."""
    if outcome == "refused":
        events = await reads.run(refused_events, session_id)
        found = await refused_page(services, events, model=model, limit=limit, offset=offset)
        return ExchangeList(exchanges=[], total=found.total, refusals=found.rows)
    page = await reads.run(
        list_exchanges, session_id=session_id, outcome=outcome, model=model, limit=limit, offset=offset
    )
    return ExchangeList(exchanges=[views.exchange_summary(row) for row in page.rows], total=page.total)


@router.get("/{exchange_id}", response_model_exclude_unset=True)
async def get(exchange_id: PathId, reads: Reads, services: Use) -> exchange_shapes.Exchange:
    """One exchange with the refs of its messages, and what was changed on the way up."""
    rows = await reads.run(exchange_rows, exchange_id)
    if rows is None:
        raise ApiError(404, "exchange_not_found", f"There is no exchange {exchange_id}.")
    diff = await difference(
        services, rows.exchange.session_id, rows.received, rows.sent, rows.known, origin=rows.exchange.origin
    )
    return views.exchange(rows.exchange, rows.received, rows.sent, diff)


def exchange_rows(db: sqlite3.Connection, exchange_id: int, *, at: int) -> ExchangeRows | None:
    """None where the exchange had not started."""
    exchange = get_exchange(db, exchange_id, at=at)
    refs = exchange_refs(db, exchange_id, at=at)
    if exchange is None or refs is None:
        return None
    known = {} if exchange.sent_identical else replacements(db, exchange.session_id, at=at)
    return ExchangeRows(exchange, *refs, known)
