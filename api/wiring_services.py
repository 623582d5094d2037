"""What the handlers of the API are given."""

from api.background import Background
from api.configuration import Configuration
from api.context_desk import Desk
from api.erasures import Erasures
from api.gate import Gate, GateSettings
from api.gateway_wiring import open_looker
from api.idempotency import Keys
from api.ledger_wiring import ledger_desk, log_watcher
from api.memory_desk import MemoryDesk
from api.places import shown
from api.rebuilds import Rebuilds
from api.services import Health, Origin, RateSettings, SanitizerSettings, Services
from api.times import now_ms
from api.vacuums import Vacuums
from api.wiring_chat import Traffic, summarizer
from api.wiring_store import Store
from chronoproxy import __version__
from gateway.gateway import Gateway
from projections.words import Words
from proxy.chat import ChatHandler
from proxy.content_indexes import ContentIndexes
from proxy.redaction import Redactor
from schema.idempotency import HOUR_MS


def make_services(
    configuration: Configuration,
    store: Store,
    traffic: Traffic,
    chat: ChatHandler,
    background: Background,
    erasures: Erasures,
    gateway: Gateway,
    redact: Redactor,
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
        catalogue=traffic.catalogue,
        rate=traffic.rate,
        rate_limit=RateSettings(mode=configuration.rate_limit.mode, max_rpm=configuration.rate_limit.max_rpm),
        running=traffic.registry.sessions,
        clock=now_ms,
        health=health,
        idempotency=Keys(store.keys.secret("idempotency keys"), configuration.recording.idempotency_hours * HOUR_MS),
        rebuilds=Rebuilds(store.runner, store.waiter, store.reads, store.read_path, now_ms),
        erasures=erasures,
        vacuums=Vacuums(store.read_path.parent, store.keys, store.appender, store.runner),
        hub=store.hub,
        desk=Desk(
            store.log,
            traffic.facts,
            traffic.count,
            configuration.compaction_settings(),
            lambda: store.handler.state,
            reduces=configuration.reduction.enabled,
            sanitizes=configuration.sanitizer.enabled,
        ),
        contents=ContentIndexes(store.log),
        gateway=gateway,
        looker=open_looker(gateway, erasures.vectors, store.reads, now_ms),
        ledgers=ledger_desk(configuration, store.handler, store.reads, store.waiter),
        memory=MemoryDesk(Words(), records=configuration.recording.contents, vectors=erasures.vectors),
        log_watcher=log_watcher(configuration, store.handler, traffic.catalogue, store.hub),
        compaction=configuration.compaction,
        compression=configuration.sanitizer.compression,
        background=background,
        count=traffic.count,
        redact=redact,
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
        summarizer=summarizer(configuration, traffic.catalogue, chat, redact),
        limiter=traffic.limits,
        budgeting=traffic.budgets,
        refused=chat.refused,
    )


def make_gate(configuration: Configuration) -> Gate:
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
