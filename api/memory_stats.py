"""How much of contexts comes from memories, and what there is of them (contract 29, 30, 37, 39)."""

import asyncio
import sqlite3
from typing import Annotated, Any

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api import mcp_servers, shapes, views
from api.bodies import RequestBody, documented, read
from api.fields import FROM_TEXT, Offset, PathId, QueryId
from api.mcp_servers import Server
from api.memory_shapes import title_of
from api.reading import PAST, Reads
from api.services import Use
from api.session_answers import living_session
from api.times import iso
from api.vector_clusters import vector_clusters
from api.writing import Writes
from commands.compaction import LeaveAsIs
from context.clusters import Cluster, clusters, weighted
from projections.memory_context import SessionContext, contexts, memory_history
from projections.memory_lists import MemoryRow, of_session
from projections.memory_similarity import telling
from projections.memory_totals import MemoryTotals, memory_totals

router = APIRouter(prefix="/api", tags=["memory"])

_MOST_CLUSTERED = 2_000


class Moment(shapes.MemStat):
    timestamp: str


class SessionMemory(BaseModel):
    """`history` is one entry for each request, newest first."""

    session_id: int
    current: shapes.MemStat
    history: list[Moment]
    total: int


class GlobalStats(BaseModel):
    """Sums over the last request of each session."""

    total_memory_tokens: int
    total_chat_tokens: int
    total_tokens: int
    global_memory_ratio: float
    average_session_ratio: float
    sessions_with_memory: int


class ClusterBody(RequestBody):
    min_cluster_size: Annotated[int, Field(ge=2, le=10)] = 3


class MemoryCluster(BaseModel):
    """`topic_label` is made of the words that its memories share; `vector_dimension` is 0 where these are words."""

    id: str
    center_id: str
    memory_count: int
    cohesion_score: float
    topic_label: str
    vector_dimension: int
    memory_ids: list[int]


class Clustered(BaseModel):
    """The newest 2,000 memories of the session, by what they are about."""

    session_id: int
    cluster_count: int
    clusters: list[MemoryCluster]
    qdrant_available: bool


class AdvancedStats(BaseModel):
    total_memories: int
    frequent_memories: int
    episodic_memories: int
    semantic_memories: int
    total_tokens: int
    average_access_count: float
    qdrant_connected: bool


class Features(BaseModel):
    qdrant_available: bool
    compression_available: bool
    semantic_search: bool
    advanced_compression: bool


class Advanced(BaseModel):
    """`basic_stats` is null where one session was asked for."""

    basic_stats: GlobalStats | None
    advanced_stats: AdvancedStats
    servers: list[Server]
    features: Features


class Texts(msgspec.Struct, frozen=True):
    rows: list[MemoryRow]
    counts: list[dict[str, int]]


@router.get("/sessions/{session_id}/memory", dependencies=PAST)
async def of_one(
    session_id: PathId,
    reads: Reads,
    limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 50,
    offset: Offset = 0,
) -> SessionMemory:
    """How much of the session's context comes from memories: results of the tools that `mcp.memory_tools` names."""
    return await reads.run(_of_one, session_id, limit, offset)


@router.get("/memory/stats", dependencies=PAST)
async def stats(reads: Reads) -> GlobalStats:
    """The same for all sessions together."""
    return await reads.run(_global)


@router.get("/memory/stats/advanced", dependencies=PAST)
async def advanced(reads: Reads, services: Use, session_id: QueryId = None) -> Advanced:
    """What is remembered, of one session or of all."""
    basic, totals = await reads.run(_advanced, session_id)
    vectors = services.memory.serves
    return Advanced(
        basic_stats=basic,
        advanced_stats=AdvancedStats(
            total_memories=totals.total,
            frequent_memories=totals.frequent,
            episodic_memories=totals.episodic,
            semantic_memories=totals.semantic,
            total_tokens=totals.tokens,
            average_access_count=round(totals.accesses / totals.total, 2) if totals.total else 0.0,
            qdrant_connected=vectors,
        ),
        servers=(await mcp_servers.memory_servers(services)).servers,
        features=Features(
            qdrant_available=vectors, compression_available=True, semantic_search=vectors, advanced_compression=True
        ),
    )


@router.post("/memory/cluster/{session_id}", openapi_extra=documented(ClusterBody))
async def cluster(
    session_id: PathId, body: Annotated[ClusterBody, Depends(read(ClusterBody))], services: Use, writes: Writes
) -> Clustered:
    """The session's memories by what they are about: by meaning once all of them have vectors, else by their words.
    Nothing is stored; the same memories give the same clusters."""
    outcome = await writes.append(LeaveAsIs(session_id))
    texts = await writes.read(outcome, _texts, session_id)
    matrix = services.memory.matrix([row.position for row in texts.rows])
    found = await asyncio.to_thread(_clusters, texts, matrix, body.min_cluster_size)
    dimension = 0 if matrix is None else int(matrix.shape[1])
    return Clustered(
        session_id=session_id,
        cluster_count=len(found),
        clusters=[_shown(texts.rows, each, number, dimension) for number, each in enumerate(found, 1)],
        qdrant_available=services.memory.serves,
    )


def _of_one(db: sqlite3.Connection, session_id: int, limit: int, offset: int, *, at: int) -> SessionMemory:
    """Raises NotFoundError."""
    living_session(db, session_id, at=at)
    page = memory_history(db, session_id, at=at, limit=limit, offset=offset)
    newest = page.rows[:1] if offset == 0 else memory_history(db, session_id, at=at, limit=1, offset=0).rows
    history = [Moment(timestamp=iso(row.started_at), **views.mem_stat(row).model_dump()) for row in page.rows]
    current = views.mem_stat(newest[0] if newest else None)
    return SessionMemory(session_id=session_id, current=current, history=history, total=page.total)


def _global(db: sqlite3.Connection, *, at: int) -> GlobalStats:
    every = contexts(db, at=at)
    memory, sent = sum(each.memory_tokens for each in every), sum(each.sent_tokens for each in every)
    with_memory = [each for each in every if each.memory_tokens]
    return GlobalStats(
        total_memory_tokens=memory,
        total_chat_tokens=sent - memory,
        total_tokens=sent,
        global_memory_ratio=views.percent(memory, sent),
        average_session_ratio=_mean(every),
        sessions_with_memory=len(with_memory),
    )


def _mean(every: list[SessionContext]) -> float:
    ratios = [views.percent(each.memory_tokens, each.sent_tokens) for each in every]
    return round(sum(ratios) / len(ratios), 2) if ratios else 0.0


def _advanced(db: sqlite3.Connection, session_id: int | None, *, at: int) -> tuple[GlobalStats | None, MemoryTotals]:
    """Raises NotFoundError."""
    if session_id is None:
        return _global(db, at=at), memory_totals(db, None, at=at)
    living_session(db, session_id, at=at)
    return None, memory_totals(db, session_id, at=at)


def _texts(db: sqlite3.Connection, session_id: int, *, at: int) -> Texts:
    rows = of_session(db, session_id, at=at, limit=_MOST_CLUSTERED)
    query = "SELECT terms FROM memories WHERE memory_id = ?"
    stored = (db.execute(query, (row.id,)).fetchone()[0] for row in rows)
    return Texts(rows, [telling(msgspec.json.decode(terms, type=dict[str, int])) if terms else {} for terms in stored])


def _clusters(texts: Texts, matrix: Any, least: int) -> list[Cluster]:
    words = weighted(texts.counts)
    return clusters(words, least) if matrix is None else vector_clusters(matrix, words, least)


def _shown(rows: list[MemoryRow], found: Cluster, number: int, dimension: int) -> MemoryCluster:
    numbers = [rows[index].id for index in found.members]
    return MemoryCluster(
        id=f"cluster_{number}",
        center_id=str(rows[found.center].id),
        memory_count=len(numbers),
        cohesion_score=found.cohesion,
        topic_label=", ".join(found.words) or title_of(rows[found.center]),
        vector_dimension=dimension,
        memory_ids=numbers,
    )
