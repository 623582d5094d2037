"""Correcting which session something belongs to: an exchange is reassigned, sessions are merged (contract N17, N4)."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api import exchange_shapes, shapes, views
from api.bodies import RequestBody, documented, read
from api.errors import ApiError
from api.exchanges import ExchangeRows, exchange_rows
from api.fields import UNICODE, BodyId, PathId
from api.messages import difference
from api.services import Services, Use
from api.session_answers import living_session
from api.writing import Writes
from commands.deciding import Command
from commands.moving import MergeSessions, Move, ReassignExchanges
from projections.compaction import list_decisions
from projections.exchange_lists import list_exchanges
from projections.exchange_rows import ExchangeRow
from projections.exchanges import exchange_refs, get_exchange
from projections.memory_totals import memory_totals
from projections.sessions import family
from proxy.contents import MissingContentError, SessionContents
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Body

router = APIRouter(prefix="/api", tags=["sessions"])


class ReassignBody(RequestBody):
    """`following`: also what came later in the same line of conversation."""

    session_id: BodyId
    following: bool = False


class MergeBody(RequestBody):
    source_ids: Annotated[list[BodyId], Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(min_length=1, max_length=200), UNICODE] | None = None


class Reassigned(BaseModel):
    success: Literal[True]
    exchange: exchange_shapes.Exchange
    moved: int


class Merged(BaseModel):
    success: Literal[True]
    session: shapes.SessionX
    merged_ids: list[int]
    exchanges_moved: int
    memories_moved: int
    compactions_moved: int


class Moving(msgspec.Struct, frozen=True):
    """An exchange that is to move: the sessions that its contents lie in, and the refs of what it needs of them."""

    row: ExchangeRow
    sessions: tuple[int, ...]
    refs: tuple[str, ...]


@router.post("/exchanges/{id}/reassign", openapi_extra=documented(ReassignBody), response_model_exclude_unset=True)
async def reassign(
    id: PathId, body: Annotated[ReassignBody, Depends(read(ReassignBody))], services: Use, writes: Writes
) -> Reassigned:
    """The exchange belongs to another session; all counters follow, and so does what goes on from it."""

    async def work() -> Command:
        await writes.caught_up()
        found = (await services.reads.run(_moving, id, body.session_id, following=body.following)).value
        moves = await asyncio.to_thread(_moves, services, found)
        return ReassignExchanges(body.session_id, tuple(moves), services.running())

    outcome = await writes.append(work)
    rows = await writes.read(outcome, _exchange, id)
    exchange = rows.exchange
    diff = await difference(services, exchange.session_id, rows.received, rows.sent, rows.known, origin=exchange.origin)
    return Reassigned(
        success=True,
        exchange=views.exchange(exchange, rows.received, rows.sent, diff),
        moved=sum(isinstance(event, ExchangeReassigned) for event in outcome.events),
    )


@router.post("/sessions/{session_id}/merge", openapi_extra=documented(MergeBody))
async def merge(
    session_id: PathId, body: Annotated[MergeBody, Depends(read(MergeBody))], services: Use, writes: Writes
) -> Merged:
    """Other sessions become parts of this one."""
    sources = tuple(dict.fromkeys(body.source_ids))

    async def work() -> Command:
        await writes.caught_up()
        counts = (await services.reads.run(_belongings, sources)).value
        return MergeSessions(session_id, sources, body.name, services.running(), *counts)

    outcome = await writes.append(work)
    event = next(event for event in outcome.events if isinstance(event, SessionsMerged))
    row = await writes.read(outcome, living_session, session_id)
    return Merged(
        success=True,
        session=views.session_x(row, services.catalogue),
        merged_ids=list(event.source_ids),
        exchanges_moved=event.exchanges_moved,
        memories_moved=event.memories_moved,
        compactions_moved=event.compactions_moved,
    )


def _moving(db: sqlite3.Connection, exchange_id: int, target_id: int, *, following: bool, at: int) -> list[Moving]:
    """Raises ApiError 404 and NotFoundError."""
    first = get_exchange(db, exchange_id, at=at)
    if first is None:
        raise ApiError(404, "exchange_not_found", f"There is no exchange {exchange_id}.")
    living_session(db, target_id, at=at)
    chosen = [first]
    if following:
        rows = db.execute(
            "SELECT exchange_id FROM exchange_chains WHERE exchange_id > :id AND chain ="
            " (SELECT chain FROM exchange_chains WHERE exchange_id = :id) ORDER BY exchange_id",
            {"id": exchange_id},
        ).fetchall()
        later = (get_exchange(db, number, at=at) for (number,) in rows)
        chosen += [row for row in later if row is not None and row.session_id == first.session_id]
    return [_needs(db, row, at) for row in chosen]


def _needs(db: sqlite3.Connection, row: ExchangeRow, at: int) -> Moving:
    received, sent = exchange_refs(db, row.id, at=at) or ((), ())
    answers = (*((row.answer_ref,) if row.answer_ref else ()), *row.other_refs)
    refs = (row.envelope_ref, row.sent_envelope_ref, *received, *sent, *answers)
    origin = (row.origin,) if row.origin is not None else ()
    return Moving(row, (*family(db, row.session_id, at=at), *origin), tuple(dict.fromkeys(refs)))


def _moves(services: Services, found: Sequence[Moving]) -> list[Move]:
    """With the bodies, each once: what the log does not hold is not there to be moved."""
    given: set[str] = set()
    moves: list[Move] = []
    contents = SessionContents(services.log, *dict.fromkeys(number for each in found for number in each.sessions))
    for each in found:
        bodies: list[Body] = []
        for ref in each.refs:
            if ref not in given:
                given.add(ref)
                bodies += _body(contents, ref)
        row = each.row
        moves.append(Move(row.id, row.session_id, row.preview, row.error_message, tuple(bodies)))
    return moves


def _body(contents: SessionContents, ref: str) -> list[Body]:
    try:
        return [Body(ref, contents.body(ref))]
    except MissingContentError:
        return []


def _exchange(db: sqlite3.Connection, exchange_id: int, *, at: int) -> ExchangeRows:
    """Raises ApiError 404."""
    rows = exchange_rows(db, exchange_id, at=at)
    if rows is None:
        raise ApiError(404, "exchange_not_found", f"There is no exchange {exchange_id}.")
    return rows


def _belongings(db: sqlite3.Connection, sources: Sequence[int], *, at: int) -> tuple[int, int, int]:
    """Exchanges, compactions and memories of sessions."""
    exchanges = sum(list_exchanges(db, at=at, session_id=number, limit=1).total for number in sources)
    compactions = sum(list_decisions(db, number, "compaction", at=at, limit=1).total for number in sources)
    return exchanges, compactions, sum(memory_totals(db, number, at=at).total for number in sources)
