"""What is remembered: stored, found, listed (contract 33, 35, 36, 38)."""

import asyncio
import sqlite3
from functools import partial
from typing import Annotated, Any

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api import memory_shapes as shapes
from api.bodies import RequestBody, documented, read
from api.errors import ApiError
from api.fields import FROM_TEXT, MAX_INT, UNICODE, Offset, PathId, QueryId, TextFlag, TextId
from api.memory_desk import RELATED, Asked, MemoryDesk, Search
from api.memory_fields import StoreBody, body_of, preview_of
from api.reading import PAST, Reads
from api.request_context import Context
from api.services import Services, Use
from api.session_answers import living_session
from api.writing import Writes
from commands.deciding import Command
from commands.memory import RecallMemories, StoreMemory
from projections.exchanges import recent_metrics
from projections.memory_lists import MemoryRow, get_memory, list_memories
from projections.paging import Page
from schema.memory import MemoryRecalled, MemoryStored

router = APIRouter(prefix="/api/memory", tags=["memory"])

_SHOWN_QUERY = 100  # characters
_PREVIEWS = 3
Score = Annotated[float, Field(ge=0, le=1)]
Session = Annotated[TextId, Query()]


class SimilarityBody(RequestBody):
    """`session_id`: only what is remembered of that session."""

    query: Annotated[str, Field(min_length=1, max_length=8_192), UNICODE]
    limit: Annotated[int, Field(ge=1, le=20)] = 5
    score_threshold: Score = 0.7
    session_id: Annotated[int, Field(ge=1, le=MAX_INT)] | None = None


class Kept(msgspec.Struct, frozen=True):
    memory: MemoryRow
    near: list[tuple[int, float]]


@router.post("/store", openapi_extra=documented(StoreBody))
async def store(
    session_id: Session, body: Annotated[StoreBody, Depends(read(StoreBody))], services: Use, writes: Writes
) -> shapes.Stored:
    """Remember a text. One that the session has already counts one access more."""
    if not services.memory.records:
        text = "Contents are not recorded here, so nothing can be remembered."
        raise ApiError(410, "content_not_recorded", text, context={"session_id": session_id})

    async def work() -> Command:
        return await store_command(services, session_id, body)

    outcome = await writes.append(work)
    event = outcome.events[-1]
    deduplicated = isinstance(event, MemoryRecalled)
    number = event.memory_ids[0] if isinstance(event, MemoryRecalled) else 0
    number = event.memory_id if isinstance(event, MemoryStored) else number
    text = services.redact(body.content)
    meaning = await services.memory.meaning(body_of(text).ref, text)
    kept = await writes.read(outcome, _kept, services.memory, number, meaning)
    return shapes.stored(kept.memory, shapes.near_memories(kept.near), deduplicated=deduplicated, embedding_id=None)


async def store_command(services: Services, session_id: int, body: StoreBody) -> StoreMemory:
    """Without configured keys: a memory is not a message, which is kept as it came."""
    content = services.redact(body.content)
    return StoreMemory(
        session_id=session_id,
        memory_id=await services.handler.next_memory_id(),
        memory_type=body.memory_type,
        body=body_of(content),
        tokens=await asyncio.to_thread(services.count, content),
        preview=preview_of(content),
        metadata=services.redact(msgspec.json.encode(body.metadata).decode()) if body.metadata else None,
    )


@router.post("/similarity", openapi_extra=documented(SimilarityBody), response_model_exclude_unset=True)
async def similarity(
    body: Annotated[SimilarityBody, Depends(read(SimilarityBody))], services: Use, writes: Writes
) -> shapes.Similarity:
    """What was remembered about something. Each that is found counts one access more."""
    asked = await services.memory.asked(body.query)
    first: list[Search] = []

    async def work() -> Command:
        await writes.caught_up()
        first[:] = [(await services.reads.run(_search, services.memory, asked, body)).value]
        return RecallMemories(body.session_id, tuple(hit.memory.id for hit in first[0].hits), "search")

    outcome = await writes.append(work)
    found = first[0] if first else await writes.read(outcome, _search, services.memory, asked, body)
    return shapes.Similarity(
        query=body.query,
        results_count=len(found.hits),
        results=[shapes.found(hit, found.dimension) for hit in found.hits],
        qdrant_available=found.dimension is not None,
        method=found.method,
    )


@router.get("/frequent", dependencies=PAST, response_model_exclude_unset=True)
async def frequent(
    reads: Reads,
    response: Response,
    session_id: QueryId = None,
    min_access_count: Annotated[int, Interval(ge=0, le=1_000_000), FROM_TEXT, Query()] = 3,
    limit: Annotated[int, Interval(ge=1, le=200), FROM_TEXT, Query()] = 10,
    offset: Offset = 0,
    envelope: TextFlag = False,
) -> list[shapes.FrequentMemory] | shapes.Enveloped:
    """What was of use most often; `envelope` puts the list into an object."""
    page = await reads.run(_frequent, session_id, min_access_count, limit, offset)
    response.headers["X-Total-Count"] = str(page.total)
    memories = [shapes.frequent(row) for row in page.rows]
    if envelope:
        return shapes.Enveloped(memories=memories, total=page.total, limit=limit, offset=offset)
    return memories


@router.get("/similar/{session_id}", dependencies=PAST, response_model_exclude_unset=True)
async def similar(
    session_id: PathId,
    reads: Reads,
    services: Use,
    writes: Writes,
    context: Context,
    query: Annotated[str | None, Query(max_length=4_096)] = None,
    limit: Annotated[int, Interval(ge=1, le=50), FROM_TEXT, Query()] = 5,
    peek: TextFlag = False,
) -> shapes.Similar:
    """What the session has remembered about `query`, by default about its last three questions. Without `peek` each
    that is found counts one access more; HEAD counts nothing."""
    text = await reads.run(_asked_of, session_id, query)
    shown = text if len(text) <= _SHOWN_QUERY else f"{text[:_SHOWN_QUERY]}..."
    if not text.strip():
        message = "The session has no text to look for: give a query."
        return shapes.Similar(
            session_id=session_id, query="", results_count=0, results=[], method="bm25", message=message
        )
    asked = await services.memory.asked(text)
    search = partial(services.memory.search, by_meaning_alone=RELATED)
    found = await reads.run(search, asked, session_id=session_id, limit=limit)
    numbers = tuple(hit.memory.id for hit in found.hits)
    if numbers and context.recorded and not peek and not reads.past:
        await writes.append(RecallMemories(session_id, numbers, "similar"))
    return shapes.Similar(
        session_id=session_id,
        query=shown,
        results_count=len(numbers),
        results=[shapes.entry(hit) for hit in found.hits],
        method=found.method,
    )


def _kept(db: sqlite3.Connection, desk: MemoryDesk, number: int, meaning: Any, *, at: int) -> Kept:
    row = get_memory(db, number, at=at)
    if row is None:
        raise ApiError(404, "memory_not_found", f"There is no memory {number}.", context={"memory_id": number})
    return Kept(row, desk.near_duplicates(db, row, meaning, at=at))


def _search(db: sqlite3.Connection, desk: MemoryDesk, asked: Asked, body: SimilarityBody, *, at: int) -> Search:
    """Raises NotFoundError."""
    if body.session_id is not None:
        living_session(db, body.session_id, at=at)
    return desk.search(db, asked, at=at, session_id=body.session_id, limit=body.limit, threshold=body.score_threshold)


def _frequent(
    db: sqlite3.Connection, session_id: int | None, least: int, limit: int, offset: int, *, at: int
) -> Page[MemoryRow]:
    """Raises NotFoundError."""
    if session_id is not None:
        living_session(db, session_id, at=at)
    return list_memories(db, at=at, session_id=session_id, min_access_count=least, limit=limit, offset=offset)


def _asked_of(db: sqlite3.Connection, session_id: int, query: str | None, *, at: int) -> str:
    """Raises NotFoundError."""
    living_session(db, session_id, at=at)
    if query is not None:
        return query
    last = recent_metrics(db, session_id, at=at, limit=_PREVIEWS)
    return "\n".join(row.preview for row in reversed(last) if row.preview)
