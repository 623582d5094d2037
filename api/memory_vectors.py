"""The vectors of memories: worked out in the background, kept in a file of their own, searched in memory.

They are derived: the file may be deleted at any time. Vectors are kept by the hash of their text; erasing a session
takes those of its texts out of the file.
"""

import asyncio
import contextlib
import importlib
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from api.embedding import EmbedderError, MiniLm
from projections.memory_search import Scored
from projections.store import ReadPool
from schema.chores import purge

FILE = "memory-vectors.sqlite"
EXACT = 20_000  # vectors; of more, usearch finds the nearest where it is installed
_BATCH, _PAUSE_S = 4, 2.0
_DDL = "CREATE TABLE IF NOT EXISTS vectors(ref TEXT PRIMARY KEY, model TEXT NOT NULL, data BLOB NOT NULL) WITHOUT ROWID"

_log = logging.getLogger("chronoproxy.memory")


class Embedder(Protocol):
    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> Any: ...


class Vectors:
    """`run` keeps them up with the memories; `nearest` answers from what there is by then."""

    def __init__(self, path: Path, embedder: Embedder, reads: ReadPool) -> None:
        self._embedder, self._reads = embedder, reads
        self._np = importlib.import_module("numpy")
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(_DDL)
        self._lock = asyncio.Lock()  # of the embedder and the file
        self._positions: list[int] = []
        self._rows: list[Any] = []
        self._matrix: Any = None
        self._index: Any = None
        self._reached = 0

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def __len__(self) -> int:
        return len(self._positions)

    async def of(self, text: str) -> Any:
        """The vector of a query."""
        async with self._lock:
            return (await asyncio.to_thread(self._embedder.embed, [text]))[0]

    async def run(self) -> None:
        """Look for memories that have none yet, until cancelled."""
        while True:
            try:
                if not await self.once():
                    await asyncio.sleep(_PAUSE_S)
            except sqlite3.Error as error:
                _log.error("vectors of memories cannot be kept: %s", error)
                await asyncio.sleep(_PAUSE_S)

    async def once(self) -> int:
        """How many more memories have vectors now. Raises sqlite3.Error."""
        rows = (await self._reads.run(_after, self._reached)).value
        if rows:
            async with self._lock:
                found = await asyncio.to_thread(self._vectors, [(ref, text) for _, ref, text in rows])
            self._add([position for position, _, _ in rows], found)
            self._reached = rows[-1][0]
        return len(rows)

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

    def close(self) -> None:
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
        row = self._db.execute(
            "SELECT data FROM vectors WHERE ref = ? AND model = ?", (ref, self._embedder.name)
        ).fetchone()
        return self._np.frombuffer(row[0], dtype=self._np.float16).astype(self._np.float32) if row else None

    def _add(self, positions: Sequence[int], vectors: Sequence[Any]) -> None:
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


def open_vectors(folder: str, directory: Path, reads: ReadPool) -> Vectors | None:
    """Of the configured model; None where none is, or where it cannot be loaded: then words serve."""
    if not folder:
        return None
    try:
        embedder = MiniLm(Path(folder).expanduser())
    except (EmbedderError, LookupError, ValueError, OSError) as error:
        _log.error("memories are found by their words only, the model cannot be loaded: %s", error)
        return None
    return Vectors(directory / FILE, embedder, reads)


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
