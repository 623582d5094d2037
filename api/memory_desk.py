"""Where memories are looked for: by their words, and by their meaning where an embedder is configured.

**Both together.** The two lists are fused by ranks (RRF, 60), the meaning counting twice; a memory that a list lacks
counts as right behind its end. The score is the share of what the first of both lists has.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from api.memory_shapes import Method
from api.memory_vectors import Vectors
from projections.memory_lists import MemoryRow
from projections.memory_search import Hit, Scored, hits, scored_by_words, search_memories
from projections.memory_similarity import NEARLY_THE_SAME, near_duplicates
from projections.words import Words

_LISTED, _LISTED_OF_SESSION = 100, 1_000
_RANKS = 60
_OF_MEANING, _OF_WORDS = 2, 1


class Asked(msgspec.Struct, frozen=True):
    """What is looked for; `vector` is its meaning, where that is known."""

    query: str
    vector: Any = None


class Search(msgspec.Struct, frozen=True):
    hits: list[Hit]
    method: Method
    dimension: int | None = None


class MemoryDesk:
    """`records` says whether texts are kept at all."""

    def __init__(self, words: Words, *, records: bool = True, vectors: Vectors | None = None) -> None:
        self.words, self.records, self.vectors = words, records, vectors

    @property
    def serves(self) -> bool:
        """Whether meanings are looked for, too."""
        return self.vectors is not None and len(self.vectors) > 0

    async def asked(self, query: str) -> Asked:
        if self.vectors is None or not self.serves:
            return Asked(query)
        return Asked(query, await self.vectors.of(query))

    def matrix(self, positions: Sequence[int]) -> Any:
        """The vectors of memories as rows; None without an embedder, or where one has none yet."""
        return self.vectors.matrix(positions) if self.vectors is not None else None

    async def meaning(self, ref: str, text: str) -> Any:
        """The vector of a memory that is just stored; None where words serve, or a provider would be waited for."""
        if self.vectors is None or self.vectors.remote or not self.serves:
            return None
        return await self.vectors.of_memory(ref, text)

    def near_duplicates(
        self, db: sqlite3.Connection, memory: MemoryRow, meaning: Any = None, *, at: int
    ) -> list[tuple[int, float]]:
        """Other memories of the session that say nearly the same, by words or by meaning, the nearest first. `meaning`
        is the memory's vector, by default the one that is kept."""
        if meaning is None and (matrix := self.matrix([memory.position])) is not None:
            meaning = matrix[0]
        found = dict(near_duplicates(db, self.words, memory.id, memory.session_id, at=at))
        if meaning is not None and self.vectors is not None:
            near = [each for each in self.vectors.nearest(meaning, _LISTED) if each.score >= NEARLY_THE_SAME]
            for hit in hits(db, [each for each in near if each.position <= at], at=at):
                if hit.memory.session_id == memory.session_id and hit.memory.id != memory.id:
                    found[hit.memory.id] = max(found.get(hit.memory.id, 0.0), round(min(hit.score, 1.0), 4))
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))

    def search(
        self,
        db: sqlite3.Connection,
        asked: Asked,
        *,
        at: int,
        session_id: int | None = None,
        limit: int,
        threshold: float = 0.0,
    ) -> Search:
        """A query of the read tables."""
        if self.vectors is None or asked.vector is None:
            found = search_memories(
                db, self.words, asked.query, at=at, session_id=session_id, limit=limit, threshold=threshold
            )
            return Search(found, "bm25")
        by_words = scored_by_words(db, self.words, asked.query, at=at, session_id=session_id, limit=_LISTED)[:_LISTED]
        near = self.vectors.nearest(asked.vector, _LISTED if session_id is None else _LISTED_OF_SESSION)
        near = [each for each in near if each.position <= at]
        by_meaning = [hit.memory for hit in hits(db, near, at=at) if session_id in (None, hit.memory.session_id)][
            :_LISTED
        ]
        fused = [each for each in _fused(by_words, by_meaning) if each.score >= threshold][:limit]
        return Search(hits(db, fused, at=at), "hybrid", self.vectors.dimension)


def _fused(by_words: list[Scored], by_meaning: list[MemoryRow]) -> list[Scored]:
    words = {each.position: rank for rank, each in enumerate(by_words, 1)}
    meaning = {row.position: rank for rank, row in enumerate(by_meaning, 1)}
    best = (_OF_WORDS + _OF_MEANING) / (_RANKS + 1)
    found: list[Scored] = []
    for position in words.keys() | meaning.keys():
        share = _OF_WORDS / (_RANKS + words.get(position, _LISTED + 1))
        share += _OF_MEANING / (_RANKS + meaning.get(position, _LISTED + 1))
        found.append(Scored(position, round(share / best, 4)))
    return sorted(found, key=lambda each: (-each.score, -each.position))
