"""Tells all clients of /ws what happened, once the read tables show it (contract 5).

The runner's thread hands over what it has applied; a task makes messages of it, one time for all clients. Nobody waits
for a client: each has a bounded queue, and where too much comes at once all of them are told to read anew.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from api.live_client import LiveClient
from api.live_messages import init, render
from api.live_view import Message, message
from api.session_answers import DetailRows, active_rows
from projections.store import ReadPool
from proxy.providers import Catalogue
from schema.log import EventLog
from schema.recorded import Recorded

MOST_MISSED = 1_000  # events; who missed more reads anew
_INIT_METRICS = 50

_log = logging.getLogger("chronoproxy.live")


class Hub:
    """Made and used on one event loop, but for `watching` and `applied`."""

    def __init__(
        self, reads: ReadPool, log: EventLog, catalogue: Catalogue, redact: Callable[[str], str] = str
    ) -> None:
        self._reads, self._events, self._catalogue, self._redact = reads, log, catalogue, redact
        self._loop = asyncio.get_running_loop()
        self._clients: set[LiveClient] = set()
        self._resyncs = 0  # of clients that have left
        self._pending: list[Recorded] = []
        self._task: asyncio.Task[None] | None = None
        self._position = 0  # of the last event told

    @property
    def watching(self) -> bool:
        """Whether anybody listens. From any thread."""
        return bool(self._clients)

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def resyncs(self) -> int:
        """How often a client was told to read anew."""
        return self._resyncs + sum(client.resyncs for client in self._clients)

    @property
    def position(self) -> int:
        """The last event that was told, else the head of the log."""
        return self._position or self._events.head()

    def applied(self, events: Sequence[Recorded]) -> None:
        """The read tables show these events now. From any thread."""
        try:
            self._loop.call_soon_threadsafe(self._take, events)
        except RuntimeError:  # the loop has ended, and with it all clients
            return

    async def join(self, client: LiveClient, after: int | None) -> None:
        """Have `client` begin: with all that happened after event `after`, else with the active session."""
        self._clients.add(client)  # from now on what is applied is told, so that nothing is missed
        if after is None:
            read = await self._reads.run(active_rows, _INIT_METRICS)
            client.begin(self._first(read.value, read.at), read.at)
            return
        head = (await self._reads.run(_nothing)).at
        if after > head or head - after > MOST_MISSED:
            client.begin((), head)
            client.resync("too_much_missed" if after <= head else "unknown_position", head)
            return
        missed = await asyncio.to_thread(self._events.read, after, upto=head)
        client.begin(await self._messages(missed, head, feed=client.feed), head)

    def say(self, kind: str, session_id: int | None, fields: Mapping[str, object]) -> None:
        """Tell those who listen of something that no event says. On the loop."""
        if not self._clients:
            return
        told = message(kind, self.position, session_id, fields)
        for client in tuple(self._clients):
            client.tell(told)

    def leave(self, client: LiveClient) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._resyncs += client.resyncs

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _first(self, rows: DetailRows | None, position: int) -> Iterable[Message]:
        return () if rows is None else (init(rows, self._catalogue, position, limit=_INIT_METRICS),)

    def _take(self, events: Sequence[Recorded]) -> None:
        self._pending += events
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        while self._pending and self._clients:
            events, self._pending = self._pending, []
            self._position = events[-1].position
            if len(events) > MOST_MISSED:
                for client in self._clients:
                    client.resync("too_much_at_once", self._position)
                continue
            feed = any(client.feed for client in self._clients)
            try:
                messages = await self._messages(events, self._position, feed=feed)
            except (sqlite3.Error, LookupError, msgspec.MsgspecError) as error:
                _log.error("events up to %d cannot be told: %s", self._position, type(error).__name__)
                for client in self._clients:
                    client.resync("not_readable", self._position)
                continue
            for client in tuple(self._clients):
                client.offer(messages)
        self._pending.clear()

    async def _messages(self, events: Sequence[Recorded], at: int, *, feed: bool) -> list[Message]:
        if not events:
            return []
        catalogue, redact = self._catalogue, self._redact
        read = await self._reads.run(render, catalogue, self._events, redact, events, feed=feed, at=at)
        return read.value


def _nothing(db: sqlite3.Connection, *, at: int) -> None:
    """Only where the tables are is asked."""
