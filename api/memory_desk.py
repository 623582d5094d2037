"""Where memories are looked for: by their words, and by their meaning where an embedder is configured.

**Both together.** The two lists are fused by ranks (RRF, 60), the meaning counting twice; a memory that a list lacks
counts as right behind its end, and one that has no vector yet by its words alone. Ranks say the order and nothing of
how good a memory is, for something always is the first: the score is the larger one of what its words and its meaning
say by themselves, the meaning as the root of the cosine.
"""

import math
import sqlite3
from collections.abc import Mapping, Sequence
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
RELATED = 0.6  # a score by meaning below which texts most likely have nothing to do with each other


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
        found = dict(near_duplicates(db, memory.id, memory.session_id, at=at))
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
        by_meaning_alone: float = 0.0,
    ) -> Search:
        """A query of the read tables. `by_meaning_alone` is the least score of what shares no word with the query."""
        if self.vectors is None or asked.vector is None:
            found = search_memories(
                db, self.words, asked.query, at=at, session_id=session_id, limit=limit, threshold=threshold
            )
            return Search(found, "bm25")
        by_words = scored_by_words(db, self.words, asked.query, at=at, session_id=session_id, limit=_LISTED)[:_LISTED]
        near = self.vectors.nearest(asked.vector, _LISTED if session_id is None else _LISTED_OF_SESSION)
        near = [each for each in near if each.position <= at]
        by_meaning = [hit for hit in hits(db, near, at=at) if session_id in (None, hit.memory.session_id)][:_LISTED]
        cosines = {hit.memory.position: hit.score for hit in by_meaning}
        cosines |= self.vectors.cosines(asked.vector, [each.position for each in by_words])
        fused = _fused(by_words, [hit.memory.position for hit in by_meaning], cosines)
        shared = {each.position for each in by_words}
        best = [each for each in fused if each.position in shared or each.score >= by_meaning_alone]
        best = [each for each in best if each.score >= threshold][:limit]
        return Search(hits(db, best, at=at), "hybrid", self.vectors.dimension)


def _fused(by_words: Sequence[Scored], by_meaning: Sequence[int], cosines: Mapping[int, float]) -> list[Scored]:
    """The best first; of equal ones the newest. `cosines` are those of all that have a vector."""
    words = {each.position: rank for rank, each in enumerate(by_words, 1)}
    meaning = {position: rank for rank, position in enumerate(by_meaning, 1)}
    scores = {each.position: each.score for each in by_words}

    def share(position: int) -> float:
        said = words.get(position, _LISTED + 1)
        meant = meaning.get(position, _LISTED + 1) if position in cosines else said
        return _OF_WORDS / (_RANKS + said) + _OF_MEANING / (_RANKS + meant)

    order = sorted(words.keys() | meaning.keys(), key=lambda position: (-share(position), -position))
    return [Scored(each, max(scores.get(each, 0.0), _near(cosines.get(each, 0.0)))) for each in order]


def _near(cosine: float) -> float:
    """As a score: 1 for texts that mean the same, mostly less than RELATED for such as have nothing to do with each
    other."""
    return round(math.sqrt(min(max(cosine, 0.0), 1.0)), 4)
