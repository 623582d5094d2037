"""Tells all clients of /ws what happened, once the read tables show it (contract 5).

The runner's thread hands over what it has applied; a task makes messages of it, one time for all clients, and writes
them to a few clients at a time, so that requests come between. Nobody waits for a client.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence

import msgspec
from eventsourcing.persistence import PersistenceError

from api.live_client import LiveClient
from api.live_frames import About, message
from api.live_source import LiveSource
from schema.recorded import Recorded

MOST_MISSED = 1_000  # events; who missed more reads anew
_MOST_BEHIND = 2 * MOST_MISSED  # of who gets what it missed while more happens
_MOST_WAITING = 10_000  # events that are not told yet: more, and everybody reads anew
_EVENTS, _PAGE = 500, 100  # told together; in a page of what was missed
_CLIENTS = 25  # are written to before others have their turn
_PAUSE_S, _LONGEST_PAUSE_S = 0.000_2, 0.1  # between two batches, for each client; of many clients
_TROUBLE = (sqlite3.Error, PersistenceError, LookupError, msgspec.MsgspecError)
Said = tuple[str, About, Mapping[str, object]]

_log = logging.getLogger("chronoproxy.live")


class UnreadableError(Exception):
    """What a client should begin with cannot be read."""


class Hub:
    """Made and used on one event loop, but for `watching` and `applied`."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._clients: set[LiveClient] = set()
        self._begun: set[LiveClient] = set()  # those of them that are told what happens
        self._resyncs = 0  # of clients that have left
        self._pending: list[Recorded] = []
        self._said: list[Said] = []
        self._task: asyncio.Task[None] | None = None
        self._position = 0  # of the last event told to those who have begun

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

    def applied(self, events: Sequence[Recorded]) -> None:
        """The read tables show these events now. From any thread."""
        try:
            self._loop.call_soon_threadsafe(self._take, events)
        except RuntimeError:  # the loop has ended, and with it all clients
            return

    async def join(self, client: LiveClient, after: int | None) -> None:
        """Have `client` begin: with all that happened after event `after`, else with the session that it wants
        to hear of, or the active one.

        Raises UnreadableError, and what the client raises that does not take it.
        """
        self._clients.add(client)  # from now on the runner hands over what is applied
        try:
            position = await self._first(client, after)
            while position < self._position:  # told meanwhile to others
                position = await self._next(client, position, self._position)
        except _TROUBLE as error:
            _log.error("a client cannot be told what happened: %s", type(error).__name__)
            raise UnreadableError from error
        if not self._begun:
            self._position = position
        client.begin(position)
        self._begun.add(client)

    def say(self, kind: str, about: About, fields: Mapping[str, object]) -> None:
        """Tell those who listen of something that no event says. On the loop."""
        if self._clients:
            self._said.append((kind, about, fields))
            self._start()

    def leave(self, client: LiveClient) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._begun.discard(client)
            self._resyncs += client.resyncs

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _first(self, client: LiveClient, after: int | None) -> int:
        """Give `client` what it begins with; the event up to which it knows all then."""
        if after is None:
            first = await self._source.first(client.session_id)
            await client.give(first)
            return first.last
        head = await self._source.head()
        if after > head or head - after > MOST_MISSED:
            await client.give_resync("too_much_missed" if after <= head else "unknown_position", head)
            return head
        while after < head:
            after = await self._next(client, after, head)
        return after

    async def _next(self, client: LiveClient, after: int, upto: int) -> int:
        """Give `client` a page of what it has missed, as `_first`."""
        if upto - after > _MOST_BEHIND:
            await client.give_resync("slow_client", upto)
            return upto
        page = await self._source.page(after, upto, limit=_PAGE, feed=client.feed)
        await client.give(page)
        return page.last

    def _take(self, events: Sequence[Recorded]) -> None:
        self._pending += events
        self._start()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        while (self._pending or self._said) and self._clients:
            if self._pending:
                await self._tell_events()
            if self._said:
                await self._tell_said()
            # many clients are told more at once and less often
            await asyncio.sleep(min(len(self._begun) * _PAUSE_S, _LONGEST_PAUSE_S))
        self._pending.clear()
        self._said.clear()

    async def _tell_events(self) -> None:
        if len(self._pending) > _MOST_WAITING:
            await self._give_up("too_much_at_once", self._pending)
            return
        events, self._pending = self._pending[:_EVENTS], self._pending[_EVENTS:]
        if not self._begun:
            self._position = max(self._position, events[-1].position)  # who is about to begin reads on up to here
            return
        feed = any(client.feed for client in self._clients)
        try:
            batch = await self._source.batch(events, feed=feed)
        except _TROUBLE as error:
            _log.error("events up to %d cannot be told: %s", events[-1].position, type(error).__name__)
            await self._give_up("not_readable", events)
            return
        self._position = max(self._position, batch.last)  # who begins from now on has got it before
        await self._hand_out(lambda client: client.offer(batch))

    async def _tell_said(self) -> None:
        said, self._said = self._said, []
        told = [message(kind, self._position, about, fields) for kind, about, fields in said]

        def tell(client: LiveClient) -> None:
            for each in told:
                client.tell(each)

        await self._hand_out(tell)

    async def _give_up(self, reason: str, events: Sequence[Recorded]) -> None:
        """These cannot be told: all read anew. What waits behind them is told after."""
        last = events[-1].position
        self._pending = [each for each in self._pending if each.position > last]
        self._position = max(self._position, last)

        def resync(client: LiveClient) -> None:
            client.position = max(client.position, last)
            client.resync(reason)

        await self._hand_out(resync)

    async def _hand_out(self, write: Callable[[LiveClient], None]) -> None:
        """To all who have begun by now; between a few of them the loop turns to others."""
        clients = tuple(self._begun)
        for first in range(0, len(clients), _CLIENTS):
            if first:
                await asyncio.sleep(0)
            for client in clients[first : first + _CLIENTS]:
                write(client)
