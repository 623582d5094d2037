"""What the routes work with, made and filled in by wiring.py."""

from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from api.background import Background
from api.configuration_sections import Compaction, Compression
from api.context_desk import Desk
from api.erasures import Erasures
from api.idempotency import Keys
from api.ledger_desk import LedgerDesk
from api.live_hub import Hub
from api.log_watcher import LogWatcher
from api.memory_desk import MemoryDesk
from api.rebuilds import Rebuilds
from api.vacuums import Vacuums
from commands.handling import CommandHandler
from context.tokens import TextCounter
from gateway.gateway import Gateway
from gateway.looking import Looker
from projections.applying import ProjectionStatus
from projections.metrics import ExchangeTally
from projections.store import ReadPool
from projections.waiting import Waiter
from proxy.budgeting import Budgeting
from proxy.content_indexes import ContentIndexes
from proxy.limiter import Limiter
from proxy.providers import Catalogue
from proxy.rate import RequestRate
from proxy.summarizing import Summarizer
from schema.log import EventLog


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the parts are, asked anew at each call. `writer_trouble` is None while all is well, `lost` is what was found
    to be missing at the start."""

    lost: tuple[str, ...] = ()
    writer_trouble: Callable[[], str | None]
    projections: Callable[[], list[ProjectionStatus]]
    ready: Callable[[], bool]


class RateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Section [rate_limit] of the configuration; `max_rpm` 0 means no limit."""

    mode: str = "observe"
    max_rpm: int = 40


class SanitizerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Section [sanitizer]; `enabled` holds while nobody has switched it."""

    enabled: bool = True
    threshold_tokens: int = 2_000
    preview_length: int = 200


class Origin(msgspec.Struct, frozen=True):
    """Where the configuration came from, None for none, and what about it has no effect."""

    file: str | None = None
    warnings: tuple[str, ...] = ()


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """`running` are the sessions with an exchange under way; `clock` gives milliseconds since the epoch;
    `default_model` is what a request without a model gets; `redact` takes configured secrets out of what is shown;
    `gateway` passes calls of MCP servers on and `looker` sees how they are;
    `summarizer` asks a model for summaries, where one is configured; `asks_token` and `asks_keys` say which credentials
    the gate wants."""

    handler: CommandHandler
    reads: ReadPool
    waiter: Waiter
    log: EventLog
    catalogue: Catalogue
    rate: RequestRate
    rate_limit: RateSettings
    limiter: Limiter | None = None
    refused: Callable[[], Mapping[str, int]] = dict
    budgeting: Budgeting | None = None
    running: Callable[[], frozenset[int]]
    clock: Callable[[], int]
    health: Health
    idempotency: Keys
    rebuilds: Rebuilds
    vacuums: Vacuums
    erasures: Erasures
    hub: Hub
    desk: Desk
    contents: ContentIndexes
    gateway: Gateway
    looker: Looker
    ledgers: LedgerDesk
    memory: MemoryDesk
    log_watcher: LogWatcher
    summarizer: Summarizer | None = None
    count: TextCounter
    redact: Callable[[str], str]
    background: Background
    default_model: str | None
    max_body_bytes: int
    version: str
    origin: Origin = Origin()
    sanitizer: SanitizerSettings = SanitizerSettings()
    compaction: Compaction = Compaction()
    compression: Compression = Compression()
    docs: bool = False
    asks_token: bool = False
    asks_keys: bool = False
    tally: ExchangeTally = msgspec.field(default_factory=ExchangeTally)

    @property
    def default_provider(self) -> str:
        """Labels sessions that are started without a provider."""
        return self.catalogue.default_provider() or self.catalogue.providers()[0].key


async def _services(request: Request) -> Services:  # async: else each request would wait for a thread
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("the application was made without services")
    return services


Use = Annotated[Services, Depends(_services)]
