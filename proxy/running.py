"""An exchange that is under way, and the registry of all of them."""

import asyncio
from typing import Literal, Protocol

import msgspec

from proxy.answers import Answer
from proxy.caller import Caller
from proxy.chains import Chain
from proxy.facts import MessageFacts, RequestFacts
from proxy.providers import Route
from proxy.resolution import Scope
from proxy.wire import ChatRequest
from schema.appends import Committed
from schema.exchanges import Usage
from schema.recorded import Metadata

Kind = Literal["completed", "failed", "cancelled", "interrupted"]


class Held(Protocol):
    """What is held of budgets for an exchange."""

    def affords(self, route: Route) -> bool:
        """Whether the budgets let the request go there instead."""

    def change(self, route: Route) -> None:
        """Hold what it may come to there instead. Nothing may be awaited between `affords` and this."""

    def settle(self, usage: Usage, provider: str | None, model: str | None) -> None:
        """By what was used, of the provider and model that were asked last (None: the first)."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in. `arrived` is a reading of the performance counter, `sent_body` what goes upstream,
    `sent_envelope` all of it outside its messages where that is known, `key` the configured name of the client's key,
    `headers` all that came, `caller` what most of them say."""

    body: bytes
    request: ChatRequest
    facts: RequestFacts
    caller: Caller
    request_id: str
    arrived: float
    sent_body: bytes
    sent_envelope: bytes | None = None
    provider: str
    model_key: str
    model_sent: str
    cached_price_ratio: float = 0.1
    max_context: int = 262_144
    key: str | None = None
    headers: list[tuple[bytes, bytes]] = []


class Running(msgspec.Struct, kw_only=True, eq=False):
    """What is needed to answer and, later, to finish. `committed` is done when ExchangeStarted is in the log; `body`
    goes upstream, only after the commit where something new was `decided` about it; `reserved` is held of budgets;
    `answer`, `answer_facts` (of its message) and `tip` are set once the answer is complete."""

    session_id: int
    exchange_id: int
    rule: str
    chain: Chain
    scope: Scope
    canons: bytes
    tokens: int
    saved: int
    metadata: Metadata
    committed: asyncio.Future[Committed]
    arrived: float
    body: bytes
    decided: bool = False
    reserved: Held | None = None
    answer: Answer | None = None
    answer_facts: MessageFacts | None = None
    tip: bytes | None = None

    def refused(self) -> bool:
        """Whether the log will never hold ExchangeStarted."""
        future = self.committed
        return future.done() and (future.cancelled() or future.exception() is not None)

    def position(self) -> int | None:
        """Position of ExchangeStarted once it is committed."""
        future = self.committed
        if not future.done() or future.cancelled() or future.exception() is not None:
            return None
        return future.result().positions[-1]


class Registry:
    """The exchanges under way, by id."""

    def __init__(self) -> None:
        self._running: dict[int, Running] = {}

    def add(self, running: Running) -> None:
        self._running[running.exchange_id] = running

    def remove(self, running: Running) -> bool:
        """False when it was finished before."""
        return self._running.pop(running.exchange_id, None) is not None

    def sessions(self) -> frozenset[int]:
        """The sessions with an exchange under way."""
        return frozenset(running.session_id for running in self._running.values())

    def __len__(self) -> int:
        return len(self._running)
