"""Where messages of /ws come from: the read tables and the log, made into messages beside the loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

from api.live_frames import Batch
from api.live_messages import init, render
from api.session_answers import first_rows
from projections.store import ReadPool
from proxy.providers import Catalogue
from schema.log import EventLog
from schema.recorded import Recorded

_INIT_METRICS = 50


class LiveSource:
    """Made and used on one event loop. All raise sqlite3.Error; what reads the log raises PersistenceError too."""

    def __init__(
        self, reads: ReadPool, log: EventLog, catalogue: Catalogue, redact: Callable[[str], str] = str
    ) -> None:
        self._reads, self._log, self._catalogue, self._redact = reads, log, catalogue, redact
        self._turn = asyncio.Semaphore(1)  # of those who begin: however many they are, requests need not wait for them

    async def head(self) -> int:
        """Of the read tables."""
        async with self._turn:
            return (await self._reads.run(_nothing)).at

    async def first(self, session_id: int | None = None) -> Batch:
        """What a page begins with: that session, or the active one, where there is one. All up to `last` is in it."""
        async with self._turn:
            read = await self._reads.run(first_rows, session_id, _INIT_METRICS)
        told = () if read.value is None else (init(read.value, self._catalogue, read.at, limit=_INIT_METRICS),)
        return Batch(told, read.at, read.at)

    async def batch(self, events: Sequence[Recorded], *, feed: bool) -> Batch:
        """What is told of events that are in the read tables. Raises LookupError and msgspec.MsgspecError."""
        catalogue, redact = self._catalogue, self._redact
        read = await self._reads.run(render, catalogue, self._log, redact, events, feed=feed)
        return Batch(read.value, events[0].position, events[-1].position)

    async def page(self, after: int, upto: int, *, limit: int, feed: bool) -> Batch:
        """What is told of the next `limit` events, as `batch`. One after the other, whoever asks."""
        async with self._turn:
            events = await asyncio.to_thread(self._log.read, after, upto=upto, limit=limit)
            if not events:
                raise LookupError(f"event {after + 1} is not in the log")
            return await self.batch(events, feed=feed)


def _nothing(db: sqlite3.Connection, *, at: int) -> None:
    """Only where the tables are is asked."""
