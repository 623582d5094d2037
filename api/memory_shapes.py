"""Shapes of what is remembered, and how they are made of rows (contract 3.6)."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from pydantic import BaseModel

from api.shapes import Erased
from api.times import iso
from projections.memory_lists import MemoryRow
from projections.memory_search import Hit
from schema.memory import MemoryType

TITLE = 50  # characters
PREVIEW = 200
_SHORT_HASH = 16
Method = Literal["bm25", "vector", "hybrid"]


class NearMemory(BaseModel):
    """A memory of the session that says nearly the same."""

    memory_id: int
    similarity: float


class Stored(BaseModel):
    """`deduplicated`: the session had the text already, and it counts one access more."""

    success: Literal[True]
    memory_id: int
    memory_type: MemoryType
    content_hash: str
    token_count: int
    embedding_id: str | None
    created_at: str
    deduplicated: bool
    access_count: int
    near_duplicates: list[NearMemory]


class Found(BaseModel):
    id: str
    score: float
    content_preview: str
    metadata: dict[str, Any]
    vector_dimension: int | None = None
    session_id: int
    memory_type: MemoryType


class Similarity(BaseModel):
    """`score` is the share of the best attainable; `method` how it was found."""

    query: str
    results_count: int
    results: list[Found]
    qdrant_available: bool
    method: Method


class FrequentMemory(BaseModel):
    """Names twice, as dashboards and as other clients read them. `title` and contents are null once erased."""

    id: str
    title: str | None
    content: str | None
    content_preview: str | None
    type: MemoryType
    tokens: int
    created_at: str
    access_count: int
    last_accessed: str
    session_id: int
    memory_type: MemoryType
    token_count: int
    last_accessed_at: str
    erased: Erased = False


class Enveloped(BaseModel):
    memories: list[FrequentMemory]
    total: int
    limit: int
    offset: int


class MemEntry(BaseModel):
    id: int
    session_id: int
    memory_type: MemoryType
    content_hash: str
    content_preview: str
    token_count: int
    access_count: int
    last_accessed_at: str
    created_at: str
    similarity_score: float
    metadata: dict[str, Any]


class Similar(BaseModel):
    """`message` says why nothing was searched for."""

    session_id: int
    query: str
    results_count: int
    results: list[MemEntry]
    method: Method
    message: str | None = None


class Provenance(BaseModel):
    """Where a memory comes from: its event, who wrote it, and the message that it stands in where it was detected."""

    position: int
    origin: str
    actor: str
    by: str | None
    exchange_id: int | None
    message_ref: str | None
    supersedes: list[int]


class Memory(BaseModel):
    """`forgotten` says why it is in no list; `content` and `metadata` are null once erased."""

    id: int
    session_id: int
    memory_type: MemoryType
    content: str | None
    content_ref: str
    content_hash: str
    token_count: int
    access_count: int
    last_accessed_at: str
    created_at: str
    metadata: dict[str, Any] | None
    forgotten: str | None
    superseded_by: int | None
    near_duplicates: list[NearMemory]
    provenance: Provenance
    erased: Erased = False


def stored(row: MemoryRow, near: list[NearMemory], *, deduplicated: bool, embedding_id: str | None) -> Stored:
    return Stored(
        success=True,
        memory_id=row.id,
        memory_type=row.memory_type,
        content_hash=row.content_ref[:_SHORT_HASH],
        token_count=row.tokens,
        embedding_id=embedding_id,
        created_at=iso(row.created_at),
        deduplicated=deduplicated,
        access_count=row.access_count,
        near_duplicates=near,
    )


def found(hit: Hit, dimension: int | None) -> Found:
    row = hit.memory
    return Found(
        id=str(row.id),
        score=hit.score,
        content_preview=row.preview or "",
        metadata=metadata_of(row),
        session_id=row.session_id,
        memory_type=row.memory_type,
        **({} if dimension is None else {"vector_dimension": dimension}),
    )


def frequent(row: MemoryRow) -> FrequentMemory:
    return FrequentMemory(
        id=str(row.id),
        title=None if row.erased else title_of(row),
        content=row.content,
        content_preview=None if row.erased else row.preview or "",
        type=row.memory_type,
        tokens=row.tokens,
        created_at=iso(row.created_at),
        access_count=row.access_count,
        last_accessed=iso(row.last_accessed_at),
        session_id=row.session_id,
        memory_type=row.memory_type,
        token_count=row.tokens,
        last_accessed_at=iso(row.last_accessed_at),
        erased=bool(row.erased),
    )


def entry(hit: Hit) -> MemEntry:
    row = hit.memory
    return MemEntry(
        id=row.id,
        session_id=row.session_id,
        memory_type=row.memory_type,
        content_hash=row.content_ref[:_SHORT_HASH],
        content_preview=row.preview or "",
        token_count=row.tokens,
        access_count=row.access_count,
        last_accessed_at=iso(row.last_accessed_at),
        created_at=iso(row.created_at),
        similarity_score=hit.score,
        metadata=metadata_of(row),
    )


def memory(row: MemoryRow, near: Iterable[tuple[int, float]]) -> Memory:
    return Memory(
        id=row.id,
        session_id=row.session_id,
        memory_type=row.memory_type,
        content=row.content,
        content_ref=row.content_ref,
        content_hash=row.content_ref[:_SHORT_HASH],
        token_count=row.tokens,
        access_count=row.access_count,
        last_accessed_at=iso(row.last_accessed_at),
        created_at=iso(row.created_at),
        metadata=None if row.erased else metadata_of(row),
        forgotten=row.gone,
        superseded_by=row.superseded_by,
        near_duplicates=near_memories(near),
        provenance=Provenance(
            position=row.position,
            origin=row.origin,
            actor=row.actor,
            by=row.by,
            exchange_id=row.exchange_id,
            message_ref=row.message_ref,
            supersedes=[int(number) for number in row.supersedes.split()],
        ),
        erased=bool(row.erased),
    )


def near_memories(near: Iterable[tuple[int, float]]) -> list[NearMemory]:
    return [NearMemory(memory_id=number, similarity=alike) for number, alike in near]


def title_of(row: MemoryRow) -> str:
    """What its metadata calls it, else the beginning of its text."""
    named = metadata_of(row).get("title")
    return (named if isinstance(named, str) and named.strip() else row.preview or "").strip()[:TITLE]


def metadata_of(row: MemoryRow) -> dict[str, Any]:
    return msgspec.json.decode(row.metadata, type=dict[str, Any]) if row.metadata else {}
