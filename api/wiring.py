"""The composition root: every part is made once, and gets what it needs as arguments; `wiring_*.py` hold its parts."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp

from api.app import make_app
from api.background import Background
from api.configuration import Configuration
from api.disk import DiskWatch
from api.embedders import configured_vectors
from api.front import Front
from api.gateway_wiring import open_gateway
from api.ledger_wiring import start_watching
from api.live_socket import LiveSocket
from api.memory_detection import Detector
from api.memory_live import MemoryRequests
from api.price_book import book_hash
from api.retention import Retention
from api.servers_wiring import servers_in_process
from api.times import now_ms
from api.wiring_chat import Traffic, open_chat
from api.wiring_limits import budgeting, configured_price, limiter
from api.wiring_rates import restore_rates
from api.wiring_services import make_gate, make_services
from api.wiring_store import erasures_of, open_all
from api.wiring_telemetry import telemetry
from commands.prices import AdoptPriceBook
from commands.recovery import interrupt_open_exchanges
from commands.workspace import RecordConfiguration
from context.tokens import SplintrCounter
from proxy.facts import FactsCache
from proxy.rate import RequestRate
from proxy.recalls import memory_tools
from proxy.redaction import Redactor
from proxy.running import Registry
from schema.recorded import Metadata

_log = logging.getLogger("chronoproxy")


@asynccontextmanager
async def application(
    configuration: Configuration, directory: Path, *, without_keys: bool = False
) -> AsyncIterator[ASGIApp]:
    """The application over a data directory that this process has locked. Serves from the moment it is entered;
    `without_keys` also where no key is there. Raises UnfitDirectoryError."""
    async with AsyncExitStack() as stack:
        catalogue = configuration.catalogue()
        feed = telemetry(configuration)
        store = await open_all(stack, configuration, catalogue, feed, without_keys=without_keys)
        count = SplintrCounter()
        await asyncio.to_thread(count.warm_up)
        await interrupt_open_exchanges(store.log, store.appender)
        digests = await asyncio.to_thread(store.keys.digests)
        record = RecordConfiguration(configuration.public_values(), configuration.hash, configuration.given, digests)
        await store.handler.execute(record, Metadata(actor="system"))
        book = configuration.price_book
        await store.handler.execute(AdoptPriceBook(book, book_hash(book)), Metadata(actor="system"))
        rate, registry = RequestRate(time.monotonic), Registry()
        seed = int.from_bytes(store.keys.secret("message hashes")[:8], "big")
        redact = Redactor(configuration.secrets(), configuration.names())
        facts = FactsCache(seed, count, redact, memory_tools(configuration.mcp.memory_tools))
        limits, price = limiter(configuration), configured_price(configuration)
        await asyncio.to_thread(restore_rates, store.log, rate, limits, now_ms())
        budgets = await asyncio.to_thread(budgeting, configuration, store.log, store.handler, price, now_ms)
        traffic = Traffic(catalogue, count, facts, rate, registry, limits, budgets)
        chat = await open_chat(stack, configuration, store, traffic, redact)
        for event in store.log.unreadable.values():
            _log.error("%s", event)
        erasures = erasures_of(store)
        await erasures.finish()
        vectors = await asyncio.to_thread(configured_vectors, configuration, catalogue, directory, store.reads)
        erasures.vectors = vectors
        background = Background()
        stack.push_async_callback(background.aclose)
        if vectors is not None:
            stack.callback(vectors.close)
            background.add(vectors.run())
        if configuration.memory.detect:
            background.add(Detector(store.log, store.handler, count, redact).run())
        servers = servers_in_process(
            configuration, directory, store.handler, store.reads, store.waiter, store.log, count
        )
        gateway = open_gateway(configuration, store.appender, store.keys, count, store.waiter, redact, servers)
        stack.push_async_callback(gateway.aclose)
        services = make_services(configuration, store, traffic, chat, background, erasures, gateway, redact)
        background.add(DiskWatch(directory).run())
        start_watching(configuration, services.ledgers, services.log_watcher, background)
        background.add(Retention(services, erasures, configuration.retention).run())
        gate = make_gate(configuration)
        live = LiveSocket(gate, store.hub, MemoryRequests(services).handlers())
        yield Front(gate, chat, make_app(services), live, redact=services.redact)
