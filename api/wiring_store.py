"""The write side and the read side of a data directory: made, started, and closed in turn."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from api.configuration import Configuration
from api.erasures import Erasures, Parts
from api.live_hub import Hub
from api.live_source import LiveSource
from api.wiring_telemetry import TelemetryFeed
from commands.handling import CommandHandler
from commands.recovery import tell_of_lost_end
from projections.catalogue import PROJECTIONS
from projections.runner import Runner
from projections.store import ReadPool, open_store, reached
from projections.waiting import Waiter
from proxy.providers import Catalogue
from proxy.redaction import Redactor
from schema.appending import Appender
from schema.configured_secrets import ConfiguredSecrets
from schema.keys import KeyStore
from schema.log import EventLog
from schema.standing import standing

_log = logging.getLogger("chronoproxy")


class Store(msgspec.Struct, frozen=True):
    """The write side and the read side of one data directory, running."""

    log: EventLog
    appender: Appender
    handler: CommandHandler
    reads: ReadPool
    runner: Runner
    waiter: Waiter
    keys: KeyStore
    read_path: Path
    hub: Hub
    lost: tuple[str, ...] = ()


@asynccontextmanager
async def write_side(configuration: Configuration) -> AsyncIterator[Store]:
    """The store of a data directory that this process has locked, without anything that serves."""
    async with AsyncExitStack() as stack:
        yield await open_all(stack, configuration, configuration.catalogue(), None)


async def open_all(
    stack: AsyncExitStack,
    configuration: Configuration,
    catalogue: Catalogue,
    feed: TelemetryFeed | None,
    *,
    without_keys: bool = False,
) -> Store:
    directory, secrets = configuration.data_dir, configuration.secrets()
    found = await asyncio.to_thread(
        standing, directory, seen=reached(directory / "read.sqlite"), without_keys=without_keys
    )
    for text in found.told():
        _log.warning("%s", text)
    keys = KeyStore(directory / "keys.sqlite")
    stack.callback(keys.close)
    if found.lost_end is not None:
        keys.lost_head(found.lost_end.noted)
    log = EventLog(directory / "events.sqlite", keys)
    stack.callback(log.close)
    read_path = directory / "read.sqlite"
    read_store = await asyncio.to_thread(open_store, read_path, PROJECTIONS, log)
    stack.callback(read_store.close)
    waiter = Waiter()
    reads = ReadPool(read_path)
    stack.callback(reads.close)
    hub = Hub(LiveSource(reads, log, catalogue, Redactor(secrets)))
    runner = Runner(read_store, PROJECTIONS, log, waiter, watcher=hub, swap=reads.swap)
    reads.tell(runner.look)
    stack.callback(runner.stop)
    stack.push_async_callback(hub.aclose)
    if feed is not None:
        stack.push_async_callback(asyncio.to_thread, feed.close)
        feed.start()
    appender = Appender(log, secrets=ConfiguredSecrets(secrets, configuration.names()))
    stack.push_async_callback(appender.close)
    appender.start(runner.feed, *([feed.committed] if feed is not None else []))
    runner.start()
    await tell_of_lost_end(found.lost_end, appender)
    handler = CommandHandler(log, appender)
    return Store(log, appender, handler, reads, runner, waiter, keys, read_path, hub, tuple(found.told()))


def erasures_of(store: Store) -> Erasures:
    parts = Parts(
        store.read_path.parent,
        store.log,
        store.keys,
        store.appender,
        store.runner,
        store.reads,
        store.waiter,
        store.handler,
    )
    return Erasures(parts)
