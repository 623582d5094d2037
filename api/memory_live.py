"""What pages ask about memories over /ws: making them shorter, and what is like another (contract 5)."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import msgspec
from pydantic import BaseModel

from api.details import invalid
from api.errors import InvalidFieldError
from api.live_requests import Answered, CompressExecute, CompressPreview, Requests, SimilaritySearch
from api.memory_fields import body_of, preview_of
from api.memory_plan import Merged, Plan, Source, plan
from api.memory_shapes import title_of
from api.services import Services
from api.session_answers import living_session
from api.times import iso
from commands.memory import CompressMemories, StoreMemory, memory_not_found
from context.likeness import levenshtein
from projections.memory_lists import MemoryRow, get_memory, list_memories, of_session
from projections.memory_search import Hit, hits, scored_by_words
from projections.memory_similarity import cosine, jaccard, telling
from projections.memory_totals import memory_totals
from schema.recorded import Metadata

_MOST = 500  # memories of one compression
_CANDIDATES = 200
_SHOWN = 20


class Step(BaseModel):
    action: str
    items: int
    tokens: int
    preview: str


class CompressResult(BaseModel):
    """Counts of all memories that were asked about; `looked_at` of them were compared: a compression takes the newest
    of a session, or those of all that are used most."""

    success: bool
    current_count: int
    projected_count: int
    space_saved: str
    preview: list[Step]
    compression_ratio: float | None = None
    total: int
    looked_at: int


class LikeMemory(BaseModel):
    id: str
    title: str
    content: str
    content_preview: str
    type: str
    tokens: int
    created_at: str
    similarity_score: float


class SimilarityResult(BaseModel):
    success: bool
    results: list[LikeMemory]
    total_found: int
    method_used: str
    threshold_used: float


class Reference(msgspec.Struct, frozen=True):
    """What is compared with, and what may be like it."""

    text: str
    counts: dict[str, int]
    memory_id: int | None
    candidates: list[tuple[MemoryRow, dict[str, int]]]


class MemoryRequests:
    """Works on stored rows only; whatever takes long is done in a thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def handlers(self) -> Requests:
        result = "memory_compress_result_response"
        return Requests(
            {
                "memory_compress_preview": Answered("memory_compress_preview_response", CompressPreview, self.preview),
                "memory_compress_execute": Answered(result, CompressExecute, self.execute),
                "memory_similarity_search": Answered(
                    "memory_similarity_result_response", SimilaritySearch, self.search
                ),
            }
        )

    async def preview(self, asked: CompressPreview) -> CompressResult:
        return _result(*await self._plan(asked))

    async def execute(self, asked: CompressExecute) -> CompressResult:
        """Raises CommandError and ProjectionLagError."""
        made, total = await self._plan(asked)
        if asked.dryRun or not made.merges:
            return _result(made, total)
        stores = [await self._store(each) for each in made.merges]
        metadata = Metadata(actor="ws", correlation_id=str(asked.requestId))
        outcome = await self._services.handler.execute(CompressMemories(tuple(stores)), metadata)
        await self._services.waiter.until(outcome.position)
        done = {
            "strategy": asked.strategy,
            "threshold": asked.threshold,
            "memories_processed": sum(len(each.sources) for each in made.merges),
            "timestamp": iso(self._services.clock()),
        }
        self._services.hub.say("memory_compression_completed", asked.session_id, done)
        return _result(made, total)

    async def search(self, asked: SimilaritySearch) -> SimilarityResult:
        """Raises CommandError and ApiError."""
        if (asked.reference_id is None) == (asked.reference_text is None):
            raise InvalidFieldError([invalid("one_of", ("reference_id",), "Give one of the two", None)])
        reference = (await self._services.reads.run(_reference, self._services, asked)).value
        found = await asyncio.to_thread(_alike, reference, asked)
        shown = [_shown(row, score) for row, score in found[: asked.limit]]
        return SimilarityResult(
            success=True,
            results=shown,
            total_found=len(found),
            method_used=asked.method,
            threshold_used=asked.threshold,
        )

    async def _plan(self, asked: CompressPreview) -> tuple[Plan, int]:
        """With the number of all memories. Raises NotFoundError."""
        sources, total = (await self._services.reads.run(_sources, asked.session_id)).value
        made = await asyncio.to_thread(plan, sources, asked.strategy, asked.threshold, self._services.count)
        return made, total

    async def _store(self, merged: Merged) -> StoreMemory:
        first = merged.sources[0]
        return StoreMemory(
            session_id=first.session_id,
            memory_id=await self._services.handler.next_memory_id(),
            memory_type=first.memory_type,
            body=body_of(merged.text),
            tokens=merged.tokens,
            preview=preview_of(merged.text),
            metadata=first.metadata,
            origin="compressed",
            supersedes=tuple(sorted(each.id for each in merged.sources)),
        )


def _result(made: Plan, total: int) -> CompressResult:
    saved = made.tokens_before - made.tokens_after
    return CompressResult(
        success=True,
        current_count=total,
        projected_count=total - sum(len(each.sources) - 1 for each in made.merges),
        space_saved=f"{saved} tokens",
        preview=[
            Step(
                action="merge" if len(each.sources) > 1 else "shorten",
                items=len(each.sources),
                tokens=each.tokens,
                preview=preview_of(each.text),
            )
            for each in made.merges[:_SHOWN]
        ],
        compression_ratio=round(saved / made.tokens_before, 4) if made.tokens_before else None,
        total=total,
        looked_at=made.memories,
    )


def _sources(db: sqlite3.Connection, session_id: int | None, *, at: int) -> tuple[list[Source], int]:
    """The newest memories of a session, or the most used of all, and how many there are. Raises NotFoundError."""
    if session_id is not None:
        living_session(db, session_id, at=at)
        rows: Sequence[MemoryRow] = of_session(db, session_id, at=at, limit=_MOST)
    else:
        rows = list_memories(db, at=at, session_id=None, min_access_count=0, limit=_MOST).rows
    sources = [Source(row, _counts(db, row)) for row in sorted(rows, key=lambda row: row.id)]
    return sources, memory_totals(db, session_id, at=at).total


def _reference(db: sqlite3.Connection, services: Services, asked: SimilaritySearch, *, at: int) -> Reference:
    """Raises NotFoundError."""
    text, number, words = asked.reference_text or "", asked.reference_id, services.memory.words
    if number is not None:
        row = get_memory(db, number, at=at)
        if row is None or row.gone is not None or row.content is None:
            raise memory_not_found(number)
        text = row.content
    found: list[Hit] = hits(db, scored_by_words(db, words, text, at=at, limit=_CANDIDATES)[:_CANDIDATES], at=at)
    rows = [hit.memory for hit in found if hit.memory.id != number]
    return Reference(text, telling(words.counts(text)), number, [(row, _counts(db, row)) for row in rows])


def _alike(reference: Reference, asked: SimilaritySearch) -> list[tuple[MemoryRow, float]]:
    """Those that are alike enough, the most alike first."""
    measure: Callable[[MemoryRow, dict[str, int]], float]
    if asked.method == "levenshtein":
        measure = lambda row, _: levenshtein(reference.text.casefold(), (row.content or "").casefold())  # noqa: E731
    else:
        by_words = cosine if asked.method == "cosine" else jaccard
        measure = lambda _, counts: by_words(reference.counts, counts)  # noqa: E731
    scored = [(row, round(measure(row, counts), 4)) for row, counts in reference.candidates]
    found = [(row, score) for row, score in scored if score >= asked.threshold]
    return sorted(found, key=lambda pair: (-pair[1], pair[0].id))


def _counts(db: sqlite3.Connection, row: MemoryRow) -> dict[str, int]:
    (terms,) = db.execute("SELECT terms FROM memories WHERE memory_id = ?", (row.id,)).fetchone()
    return telling(msgspec.json.decode(terms, type=dict[str, int])) if terms else {}


def _shown(row: MemoryRow, score: float) -> LikeMemory:
    return LikeMemory(
        id=str(row.id),
        title=title_of(row),
        content=row.content or "",
        content_preview=row.preview or "",
        type=row.memory_type,
        tokens=row.tokens,
        created_at=iso(row.created_at),
        similarity_score=score,
    )
