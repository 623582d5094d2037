"""A log and read tables for servers that remember, closed and opened again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from commands.handling import CommandHandler
from gateway.state import ServerState
from projections.catalogue import PROJECTIONS
from projections.runner import Runner
from projections.store import ReadPool, open_store
from projections.waiting import Waiter
from schema.appending import Appender
from schema.appends import Append
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent, Recorded


class Memory(msgspec.Struct, frozen=True, eq=False):
    state: ServerState
    log: EventLog
    handler: CommandHandler
    appender: Appender
    waiter: Waiter

    async def append(self, *events: NewEvent) -> None:
        """Facts, until they can be read."""
        committed = await self.appender.append(Append(events=events, metadata=Metadata(actor="system")))
        await self.waiter.until(committed.positions[-1])

    def events(self) -> list[Recorded]:
        return self.log.read()

    def types(self) -> list[str]:
        return [recorded.type for recorded in self.log.read()]


@asynccontextmanager
async def open_memory(path: Path, *, contents: bool = True) -> AsyncIterator[Memory]:
    """Over one data directory."""
    async with AsyncExitStack() as stack:
        keys = KeyStore(path / "keys.sqlite")
        stack.callback(keys.close)
        log = EventLog(path / "events.sqlite", keys)
        stack.callback(log.close)
        store = open_store(path / "read.sqlite", PROJECTIONS, log)
        stack.callback(store.close)
        waiter, reads = Waiter(), ReadPool(path / "read.sqlite")
        stack.callback(reads.close)
        runner = Runner(store, PROJECTIONS, log, waiter)
        stack.callback(runner.stop)
        appender = Appender(log)
        appender.start(runner.feed)
        stack.push_async_callback(appender.close)
        runner.start()
        await asyncio.to_thread(runner.wait_ready, 10)
        handler = CommandHandler(log, appender)
        yield Memory(ServerState(handler, reads, waiter, log, contents=contents), log, handler, appender, waiter)
