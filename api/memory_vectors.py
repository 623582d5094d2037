"""The vectors of memories: worked out in the background, kept in a file of their own, searched in memory.

They are derived: the file may be deleted at any time. Vectors are kept by the hash of their text; erasing a session
takes those of its texts out of the file.
"""

import asyncio
import contextlib
import importlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from api.cooling import CoolDown
from api.embedding import EmbedderError
from projections.memory_search import Scored
from projections.store import ReadPool
from schema.chores import purge
from schema.private import make_private

FILE = "memory-vectors.sqlite"
EXACT = 20_000  # vectors; of more, usearch finds the nearest where it is installed
_QUERIES, _MEMORIES = "queries", "memories"
_BATCH, _PAUSE_S = 4, 2.0
_QUERY_S = 2.5  # that somebody who searches waits for a provider; words serve then
_DDL = "CREATE TABLE IF NOT EXISTS vectors(ref TEXT PRIMARY KEY, model TEXT NOT NULL, data BLOB NOT NULL) WITHOUT ROWID"

_log = logging.getLogger("chronoproxy.memory")


class Embedder(Protocol):
    """`concurrent`: several threads may use it at once, for it is asked over a network. `dimension` may be 0 until
    something was embedded."""

    name: str
    dimension: int
    concurrent: bool

    def embed(self, texts: Sequence[str], within_s: float | None = None) -> Any:
        """Raises EmbedderError, where it is asked over a network also when it takes longer than `within_s`."""

    def close(self) -> None: ...


class Vectors:
    """`run` keeps them up with the memories; `nearest` answers from what there is by then; `failing` says why the
    embedder does not serve at present."""

    def __init__(self, path: Path, embedder: Embedder, reads: ReadPool) -> None:
        self._embedder, self._reads = embedder, reads
        self._np = importlib.import_module("numpy")
        make_private(path)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(_DDL)
        self._lock = asyncio.Lock()  # of the embedder and the file
        self._positions: list[int] = []
        self._rows: list[Any] = []
        self._places: dict[int, int] = {}  # by position
        self._matrix: Any = None
        self._index: Any = None
        self._reached = 0
        self._troubles: dict[str, str] = {}  # of queries and of memories: either may fail alone
        self._queries = CoolDown()

    @property
    def name(self) -> str:
        """Of the embedder."""
        return self._embedder.name

    @property
    def failing(self) -> str | None:
        return next(iter(self._troubles.values()), None)

    @property
    def dimension(self) -> int:
        return len(self._rows[0]) if self._rows else self._embedder.dimension

    @property
    def remote(self) -> bool:
        """Whether a vector is waited for longer than it takes to work it out."""
        return self._embedder.concurrent

    def __len__(self) -> int:
        return len(self._positions)

    async def of(self, text: str) -> Any:
        """The vector of a query; None where it cannot be had soon, or is none of the kind of those that are kept. An
        embedder that failed is left alone for a while."""
        if not self._queries.over:
            return None
        async with contextlib.nullcontext() if self._embedder.concurrent else self._lock:
            try:
                found = (await asyncio.to_thread(self._embedder.embed, [text], _QUERY_S))[0]
            except EmbedderError as error:
                self._fails(_QUERIES, str(error))
                self._queries.failed()
                return None
        self._queries.worked()
        self._troubles.pop(_QUERIES, None)
        return found if len(found) == self.dimension else None

    async def run(self) -> None:
        """Look for memories that have none yet, until cancelled."""
        calm = CoolDown()
        while True:
            try:
                if not await self.once():
                    await asyncio.sleep(_PAUSE_S)
                calm.worked()
            except (sqlite3.Error, EmbedderError) as error:
                self._fails(_MEMORIES, str(error))
                await asyncio.sleep(calm.failed())

    def _fails(self, what: str, text: str) -> None:
        """Said once for each reason: it is tried again and again."""
        if text not in self._troubles.values():
            _log.error("memories without vectors are found by their words only: %s", text)
        self._troubles[what] = text

    async def once(self) -> int:
        """How many more memories have vectors now. Raises sqlite3.Error and EmbedderError."""
        rows = (await self._reads.run(_after, self._reached)).value
        if rows:
            async with self._lock:
                found = await asyncio.to_thread(self._vectors, [(ref, text) for _, ref, text in rows])
            self._add([position for position, _, _ in rows], found)
            self._reached = rows[-1][0]
            self._troubles.pop(_MEMORIES, None)
        return len(rows)

    async def of_memory(self, ref: str, text: str) -> Any:
        """The vector of a memory's text, from now on kept; None where it cannot be had."""
        async with self._lock:
            try:
                return (await asyncio.to_thread(self._vectors, [(ref, text)]))[0]
            except (sqlite3.Error, EmbedderError) as error:
                self._fails(_MEMORIES, str(error))
                return None

    def matrix(self, positions: Sequence[int]) -> Any:
        """The vectors of memories, as rows; None where one of them has none yet."""
        places = [self._places.get(position) for position in positions]
        if not places or None in places:
            return None
        return self._np.stack([self._rows[place] for place in places if place is not None])

    async def forget(self, kept: frozenset[str]) -> None:
        """Leave none in the file but those of these texts. Raises sqlite3.Error."""
        async with self._lock:
            await asyncio.to_thread(self._purge, kept)

    def nearest(self, vector: Any, most: int) -> list[Scored]:
        """The nearest memories, by the cosine."""
        if not self._positions:
            return []
        if self._index is not None:
            found = self._index.search(vector, most)
            return [Scored(int(key), 1 - float(far)) for key, far in zip(found.keys, found.distances, strict=True)]
        if self._matrix is None or len(self._matrix) != len(self._rows):
            self._matrix = self._np.stack(self._rows)
        scores = self._matrix @ vector
        order = self._np.argsort(-scores, kind="stable")[:most]
        return [Scored(self._positions[place], float(scores[place])) for place in order if place < len(self._positions)]

    def cosines(self, vector: Any, positions: Sequence[int]) -> dict[int, float]:
        """Of those memories that have a vector."""
        places = {each: self._places[each] for each in positions if each in self._places}
        return {position: float(self._rows[place] @ vector) for position, place in places.items()}

    def close(self) -> None:
        self._embedder.close()
        self._db.close()

    def _vectors(self, texts: Sequence[tuple[str, str]]) -> list[Any]:
        """From the file, or worked out and put into it."""
        np, found = self._np, {ref: self._kept(ref) for ref, _ in texts}
        new = [(ref, text) for ref, text in texts if found[ref] is None]
        if new:
            made = self._embedder.embed([text for _, text in new])
            found |= {ref: vector for (ref, _), vector in zip(new, made, strict=True)}
            values = [(ref, self._embedder.name, found[ref].astype(np.float16).tobytes()) for ref, _ in new]
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", values)
        return [found[ref] for ref, _ in texts]

    def _kept(self, ref: str) -> Any:
        """None of another size than the rest: a provider may change what stands behind a name."""
        row = self._db.execute(
            "SELECT data FROM vectors WHERE ref = ? AND model = ?", (ref, self._embedder.name)
        ).fetchone()
        kept = self._np.frombuffer(row[0], dtype=self._np.float16).astype(self._np.float32) if row else None
        return kept if kept is not None and self.dimension in (0, len(kept)) else None

    def _add(self, positions: Sequence[int], vectors: Sequence[Any]) -> None:
        self._places |= {position: len(self._rows) + number for number, position in enumerate(positions)}
        self._rows += vectors
        self._positions += positions
        if self._index is not None:
            self._index.add(self._np.array(positions, dtype=self._np.uint64), self._np.stack(vectors))
        elif len(self._positions) > EXACT:
            self._index = self._large()

    def _large(self) -> Any:
        with contextlib.suppress(ImportError):
            usearch = importlib.import_module("usearch.index")
            index = usearch.Index(ndim=self.dimension, metric="cos", dtype="f16", expansion_search=128)
            index.add(self._np.array(self._positions, dtype=self._np.uint64), self._np.stack(self._rows))
            return index
        return None

    def _purge(self, kept: frozenset[str]) -> None:
        gone = [(row[0],) for row in self._db.execute("SELECT ref FROM vectors") if row[0] not in kept]
        self._db.executemany("DELETE FROM vectors WHERE ref = ?", gone)
        purge(self._db)


def open_vectors(make: Callable[[], Embedder | None], directory: Path, reads: ReadPool) -> Vectors | None:
    """Of the embedder that `make` makes; None where it makes none, or where it cannot be loaded: then words serve."""
    try:
        embedder = make()
    except (EmbedderError, LookupError, ValueError, OSError) as error:
        _log.error("memories are found by their words only, the model cannot be loaded: %s", error)
        return None
    return Vectors(directory / FILE, embedder, reads) if embedder is not None else None


def _after(db: sqlite3.Connection, position: int, *, at: int) -> list[tuple[int, str, str]]:
    """The next memories with a text: their events, refs and texts."""
    rows = db.execute(
        "SELECT position, content_ref, content FROM memories WHERE position > ? AND content IS NOT NULL"
        " ORDER BY position LIMIT ?",
        (position, _BATCH),
    )
    return [(int(row[0]), str(row[1]), str(row[2])) for row in rows]


def refs_kept(db: sqlite3.Connection, *, at: int) -> frozenset[str]:
    """Of all texts that are not erased."""
    return frozenset(row[0] for row in db.execute("SELECT content_ref FROM memories WHERE content IS NOT NULL"))
