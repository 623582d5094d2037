"""The composition root: every part is made here, once, and gets what it needs as arguments."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from starlette.types import ASGIApp

from api.app import make_app
from api.background import Background
from api.configuration import Configuration
from api.context_desk import Desk
from api.disk import DiskWatch
from api.embedders import configured_vectors
from api.erasures import Erasures, Parts
from api.front import Front
from api.gate import Gate, GateSettings
from api.gateway_wiring import open_gateway, open_looker
from api.idempotency import Keys
from api.ledger_wiring import ledger_desk, log_watcher, start_watching
from api.live_hub import Hub
from api.live_socket import LiveSocket
from api.live_source import LiveSource
from api.memory_desk import MemoryDesk
from api.memory_detection import Detector
from api.memory_live import MemoryRequests
from api.places import shown
from api.price_book import book_hash
from api.rebuilds import Rebuilds
from api.retention import Retention
from api.servers_wiring import servers_in_process
from api.services import Health, Origin, RateSettings, SanitizerSettings, Services
from api.vacuums import Vacuums
from api.wiring_limits import budgeting, configured_price, key_names, limiter
from api.wiring_rates import restore_rates
from api.wiring_telemetry import TelemetryFeed, telemetry
from chronoproxy import __version__
from commands.handling import CommandHandler
from commands.prices import AdoptPriceBook
from commands.recovery import interrupt_open_exchanges, tell_of_lost_end
from commands.workspace import RecordConfiguration
from context.tokens import SplintrCounter
from gateway.gateway import Gateway
from projections.catalogue import PROJECTIONS
from projections.runner import Runner
from projections.store import ReadPool, open_store, reached
from projections.waiting import Waiter
from projections.words import Words
from proxy.aiohttp_upstream import AiohttpUpstream
from proxy.beginning import Beginner, Recording
from proxy.budgeting import Budgeting
from proxy.chains import ChainIndex
from proxy.chat import ChatHandler, Settings
from proxy.compacting import Compactor
from proxy.content_indexes import ContentIndexes
from proxy.demo import DemoUpstream
from proxy.direct_upstream import DirectUpstream
from proxy.facts import FactsCache
from proxy.finishing import Finisher
from proxy.limiter import Limiter
from proxy.memory import SessionMemories
from proxy.providers import Catalogue, Route
from proxy.rate import RequestRate
from proxy.recalls import memory_tools
from proxy.redaction import Redactor
from proxy.reducing import Reducer
from proxy.resolution import Resolver
from proxy.restoring import restore_chains
from proxy.running import Registry
from proxy.sending import Sender
from proxy.summarizing import Summarizer
from proxy.upstream import Upstream
from schema.appending import Appender
from schema.configured_secrets import ConfiguredSecrets
from schema.idempotency import HOUR_MS
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata
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
async def application(
    configuration: Configuration, directory: Path, *, without_keys: bool = False
) -> AsyncIterator[ASGIApp]:
    """The application over a data directory that this process has locked. Serves from the moment it is entered;
    `without_keys` also where no key is there. Raises UnfitDirectoryError."""
    async with AsyncExitStack() as stack:
        catalogue = configuration.catalogue()
        feed = telemetry(configuration)
        store = await _store(stack, configuration, catalogue, feed, without_keys=without_keys)
        count = SplintrCounter()
        await asyncio.to_thread(count.warm_up)
        await interrupt_open_exchanges(store.log, store.appender)
        record = RecordConfiguration(configuration.public_values(), configuration.hash, configuration.given)
        await store.handler.execute(record, Metadata(actor="system"))
        book = configuration.price_book
        await store.handler.execute(AdoptPriceBook(book, book_hash(book)), Metadata(actor="system"))
        rate, registry = RequestRate(time.monotonic), Registry()
        seed = int.from_bytes(store.keys.secret("message hashes")[:8], "big")
        facts = FactsCache(seed, count, Redactor(configuration.secrets()), memory_tools(configuration.mcp.memory_tools))
        limits, price = limiter(configuration), configured_price(configuration)
        await asyncio.to_thread(restore_rates, store.log, rate, limits, _now_ms())
        budgets = await asyncio.to_thread(budgeting, configuration, store.log, store.handler, price, _now_ms)
        chat = await _chat(stack, configuration, store, catalogue, count, facts, rate, registry, limits, budgets)
        for event in store.log.unreadable.values():
            _log.error("%s", event)
        erasures = _erasures(store)
        await erasures.finish()
        vectors = await asyncio.to_thread(configured_vectors, configuration, catalogue, directory, store.reads)
        erasures.vectors = vectors
        background = Background()
        stack.push_async_callback(background.aclose)
        if vectors is not None:
            stack.callback(vectors.close)
            background.add(vectors.run())
        if configuration.memory.detect:
            redact = Redactor(configuration.secrets())
            background.add(Detector(store.log, store.handler, count, redact).run())
        servers = servers_in_process(
            configuration, directory, store.handler, store.reads, store.waiter, store.log, count
        )
        gateway = open_gateway(configuration, store.appender, store.keys, count, store.waiter, servers)
        stack.push_async_callback(gateway.aclose)
        services = _services(
            configuration, store, catalogue, rate, registry, background, count, facts, erasures, gateway
        )
        summarizer = _summarizer(configuration, catalogue, chat)
        services = msgspec.structs.replace(
            services, summarizer=summarizer, limiter=limits, budgeting=budgets, refused=chat.refused
        )
        background.add(DiskWatch(directory).run())
        start_watching(configuration, services.ledgers, services.log_watcher, background)
        background.add(Retention(services, erasures, configuration.retention).run())
        gate = _gate(configuration)
        live = LiveSocket(gate, store.hub, MemoryRequests(services).handlers())
        yield Front(gate, chat, make_app(services), live, redact=services.redact)


@asynccontextmanager
async def write_side(configuration: Configuration) -> AsyncIterator[Store]:
    """The store of a data directory that this process has locked, without anything that serves."""
    async with AsyncExitStack() as stack:
        yield await _store(stack, configuration, configuration.catalogue(), None)


async def _store(
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


async def _chat(
    stack: AsyncExitStack,
    configuration: Configuration,
    store: Store,
    catalogue: Catalogue,
    count: SplintrCounter,
    facts: FactsCache,
    rate: RequestRate,
    registry: Registry,
    limits: Limiter | None,
    budgets: Budgeting | None,
) -> ChatHandler:
    redact = Redactor(configuration.secrets())
    chains, memories = ChainIndex(facts.hash), SessionMemories()
    state = store.handler.state
    restore_chains(store.log, chains, state.sessions, state.merged)
    resolver = Resolver(store.keys.secret("client keys"), chains, lambda: store.handler.state)
    recording = Recording(
        contents=configuration.recording.contents, durable=configuration.recording.durability == "power"
    )
    beginner = Beginner(
        store.log,
        store.appender,
        store.handler,
        resolver,
        chains,
        facts,
        memories,
        registry,
        recording,
        _sender(configuration, store, facts, count),
        enforced=configuration.server.enforce_context_limit,
        budgeting=budgets,
    )
    store.handler.subscribe(beginner.decided)
    stack.callback(beginner.refusals.flush)
    finisher = Finisher(store.appender, chains, facts, memories, registry, recording, count, redact.error)
    by_proxy = AiohttpUpstream()
    stack.push_async_callback(by_proxy.aclose)
    upstream = DirectUpstream(by_proxy)
    stack.push_async_callback(upstream.aclose)
    settings = Settings(
        max_body_bytes=configuration.server.max_body_bytes,
        commit_first=configuration.recording.commit == "before_upstream",
    )
    choose = _chooser(upstream, DemoUpstream(count))
    fallback = _fallback_model(store.handler)
    names = key_names(configuration)
    return ChatHandler(
        settings,
        catalogue,
        beginner,
        finisher,
        choose,
        rate,
        fallback,
        limiter=limits,
        key_names=names,
        redact=redact,
    )


def _sender(configuration: Configuration, store: Store, facts: FactsCache, count: SplintrCounter) -> Sender:
    """Without contents there is nothing to give back, so nothing is taken away."""
    reducer, compactor = None, None
    if configuration.reduction.enabled and configuration.recording.contents:
        reducer = Reducer(configuration.reduction_settings(), facts, count)
    if configuration.recording.contents:
        handler = store.handler
        auto = configuration.auto_compaction()
        compactor = Compactor(auto, facts, count, handler.decide, handler.next_decision_id, _now_ms)
    return Sender(
        reducer,
        compactor,
        switched_on=lambda: store.handler.state.sanitizes(configuration.sanitizer.enabled),
        may_decide=lambda: store.appender.trouble is None,
    )


def _erasures(store: Store) -> Erasures:
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


def _summarizer(configuration: Configuration, catalogue: Catalogue, chat: ChatHandler) -> Summarizer | None:
    section = configuration.sanitizer.compression
    if not section.model:
        return None
    route = catalogue.resolve(section.model, None)
    return Summarizer(chat, section.model, section.summary_max_tokens, route.max_context)


def _chooser(upstream: Upstream, demo: Upstream) -> Callable[[Route], Upstream]:
    return lambda route: demo if route.provider.type == "echo" else upstream


def _fallback_model(handler: CommandHandler) -> Callable[[], str | None]:
    """The active session's model, for requests that name none."""

    def fallback() -> str | None:
        state = handler.state
        session = state.sessions.get(state.active_id) if state.active_id is not None else None
        return session.model if session is not None else None

    return fallback


def _services(
    configuration: Configuration,
    store: Store,
    catalogue: Catalogue,
    rate: RequestRate,
    registry: Registry,
    background: Background,
    count: SplintrCounter,
    facts: FactsCache,
    erasures: Erasures,
    gateway: Gateway,
) -> Services:
    health = Health(
        lost=store.lost,
        writer_trouble=lambda: store.appender.trouble,
        projections=store.runner.status,
        ready=lambda: store.runner.ready,
    )
    return Services(
        handler=store.handler,
        reads=store.reads,
        waiter=store.waiter,
        log=store.log,
        catalogue=catalogue,
        rate=rate,
        rate_limit=RateSettings(mode=configuration.rate_limit.mode, max_rpm=configuration.rate_limit.max_rpm),
        running=registry.sessions,
        clock=_now_ms,
        health=health,
        idempotency=Keys(store.keys.secret("idempotency keys"), configuration.recording.idempotency_hours * HOUR_MS),
        rebuilds=Rebuilds(store.runner, store.waiter, store.reads, store.read_path, _now_ms),
        erasures=erasures,
        vacuums=Vacuums(store.read_path.parent, store.keys, store.appender, store.runner),
        hub=store.hub,
        desk=Desk(
            store.log,
            facts,
            count,
            configuration.compaction_settings(),
            reduces=configuration.reduction.enabled,
            sanitizes=configuration.sanitizer.enabled,
        ),
        contents=ContentIndexes(store.log),
        gateway=gateway,
        looker=open_looker(gateway, erasures.vectors, store.reads, _now_ms),
        ledgers=ledger_desk(configuration, store.handler, store.reads, store.waiter),
        memory=MemoryDesk(Words(), records=configuration.recording.contents, vectors=erasures.vectors),
        log_watcher=log_watcher(configuration, store.handler, catalogue, store.hub),
        compaction=configuration.compaction,
        compression=configuration.sanitizer.compression,
        background=background,
        count=count,
        redact=Redactor(configuration.secrets()),
        default_model=configuration.default_model,
        max_body_bytes=configuration.server.max_body_bytes,
        version=__version__,
        sanitizer=SanitizerSettings(
            **configuration.sanitizer.model_dump(include={"enabled", "threshold_tokens", "preview_length"})
        ),
        origin=Origin(shown(configuration.file) if configuration.file else None, configuration.warnings),
        docs=configuration.server.docs,
        asks_token=bool(configuration.server.token),
        asks_keys=bool(configuration.client_keys()),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _gate(configuration: Configuration) -> Gate:
    server = configuration.server
    return Gate(
        GateSettings(
            host=server.host,
            token=server.token,
            client_keys=configuration.client_keys(),
            allowed_hosts=tuple(server.allowed_hosts),
            allowed_origins=tuple(server.allowed_origins),
        )
    )
