"""Where memories are looked for: by their words, and by their meaning where an embedder is configured."""

import sqlite3

import msgspec

from api.memory_shapes import Method
from projections.memory_search import Hit, search_memories
from projections.words import Words


class Asked(msgspec.Struct, frozen=True):
    """What is looked for; `vector` is its meaning, where that is known."""

    query: str
    vector: bytes | None = None


class Search(msgspec.Struct, frozen=True):
    hits: list[Hit]
    method: Method
    dimension: int | None = None


class MemoryDesk:
    """`records` says whether texts are kept at all."""

    def __init__(self, words: Words, *, records: bool = True) -> None:
        self.words, self.records = words, records

    @property
    def serves(self) -> bool:
        """Whether meanings are looked for, too."""
        return False

    async def asked(self, query: str) -> Asked:
        return Asked(query)

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
        found = search_memories(
            db, self.words, asked.query, at=at, session_id=session_id, limit=limit, threshold=threshold
        )
        return Search(found, "bm25")
