"""The hot path, put together."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from api.configuration import Configuration
from api.times import now_ms
from api.wiring_limits import key_names
from api.wiring_store import Store
from commands.handling import CommandHandler
from context.tokens import SplintrCounter
from proxy.aiohttp_upstream import AiohttpUpstream
from proxy.beginning import Beginner, Recording
from proxy.budgeting import Budgeting
from proxy.chains import ChainIndex
from proxy.chat import ChatHandler, Settings
from proxy.compacting import Compactor
from proxy.demo import DemoUpstream
from proxy.direct_upstream import DirectUpstream
from proxy.facts import FactsCache
from proxy.finishing import Finisher
from proxy.limiter import Limiter
from proxy.memory import SessionMemories
from proxy.providers import Catalogue, Route
from proxy.rate import RequestRate
from proxy.redaction import Redactor
from proxy.reducing import Reducer
from proxy.resolution import Resolver
from proxy.restoring import restore_chains
from proxy.running import Registry
from proxy.sending import Sender
from proxy.summarizing import Summarizer
from proxy.upstream import Upstream


class Traffic(msgspec.Struct, frozen=True):
    """What the requests that pass through have in common."""

    catalogue: Catalogue
    count: SplintrCounter
    facts: FactsCache
    rate: RequestRate
    registry: Registry
    limits: Limiter | None
    budgets: Budgeting | None


async def open_chat(
    stack: AsyncExitStack, configuration: Configuration, store: Store, traffic: Traffic, redact: Redactor
) -> ChatHandler:
    """The hot path, and the connections to upstreams that the stack closes."""
    facts, registry = traffic.facts, traffic.registry
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
        _sender(configuration, store, facts, traffic.count),
        enforced=configuration.server.enforce_context_limit,
        budgeting=traffic.budgets,
    )
    store.handler.subscribe(beginner.decided)
    stack.callback(beginner.refusals.flush)
    finisher = Finisher(store.appender, chains, facts, memories, registry, recording, traffic.count, redact.error)
    by_proxy = AiohttpUpstream()
    stack.push_async_callback(by_proxy.aclose)
    upstream = DirectUpstream(by_proxy)
    stack.push_async_callback(upstream.aclose)
    settings = Settings(
        max_body_bytes=configuration.server.max_body_bytes,
        commit_first=configuration.recording.commit == "before_upstream",
    )
    choose = _chooser(upstream, DemoUpstream(traffic.count))
    fallback = _fallback_model(store.handler)
    names = key_names(configuration)
    return ChatHandler(
        settings,
        traffic.catalogue,
        beginner,
        finisher,
        choose,
        traffic.rate,
        fallback,
        limiter=traffic.limits,
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
        compactor = Compactor(auto, facts, count, handler.decide, handler.next_decision_id, now_ms)
    return Sender(
        reducer,
        compactor,
        switched_on=lambda: store.handler.state.sanitizes(configuration.sanitizer.enabled),
        may_decide=lambda: store.appender.trouble is None,
    )


def summarizer(
    configuration: Configuration, catalogue: Catalogue, chat: ChatHandler, redact: Redactor
) -> Summarizer | None:
    section = configuration.sanitizer.compression
    if not section.model:
        return None
    route = catalogue.resolve(section.model, None)
    return Summarizer(chat, section.model, section.summary_max_tokens, route.max_context, redact.error)


def _chooser(upstream: Upstream, demo: Upstream) -> Callable[[Route], Upstream]:
    return lambda route: demo if route.provider.type == "echo" else upstream


def _fallback_model(handler: CommandHandler) -> Callable[[], str | None]:
    """The active session's model, for requests that name none."""

    def fallback() -> str | None:
        state = handler.state
        session = state.sessions.get(state.active_id) if state.active_id is not None else None
        return session.model if session is not None else None

    return fallback
