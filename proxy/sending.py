"""What goes upstream for a request: as it came, or with its beginning compacted and outputs of tools replaced.

Savings fail open: where reducing fails, the request goes as it came, and the exchange says why.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from proxy.compacting import Compactor
from proxy.envelope import EnvelopeError, join, split
from proxy.facts import RequestFacts
from proxy.memory import SessionMemory
from proxy.prefixes import Shortened
from proxy.reducing import Prepared, Reduced, Reducer
from proxy.replaced import Held
from proxy.running import Incoming
from schema.exchanges import ReductionStep
from schema.recorded import Body, NewEvent
from schema.registry import Event

_MOST_MESSAGES = 20_000  # looking at more would keep all other requests waiting
_LONG = 20_000  # tokens: looking at so many takes some 30 ms
_FAILURES = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, msgspec.MsgspecError)

_log = logging.getLogger("chronoproxy.reduction")


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What goes upstream: its body, its messages' refs and what is around them; how it was reduced. `events` replace
    outputs of tools, `decided` are about the whole context and go before them;
    `new` are what `events` replace."""

    body: bytes
    refs: bytes
    envelope: bytes
    saved: int = 0
    steps: tuple[ReductionStep, ...] = ()
    events: tuple[Event, ...] = ()
    bodies: tuple[Body, ...] = ()
    skipped_reason: str | None = None
    decided: tuple[NewEvent, ...] = ()
    over_threshold: bool = False
    new: tuple[Held, ...] = ()


class _Found(msgspec.Struct, frozen=True):
    """A request after prefix decisions, and after the stages behind them."""

    short: Shortened
    reduced: Reduced | None

    @property
    def tokens(self) -> int:
        return self.short.facts.tokens - (self.reduced.saved if self.reduced is not None else 0)


class Sender:
    """`switched_on` is asked for each request, `may_decide` whether the log can take new decisions now. Without a
    `reducer` no output is replaced, without a `compactor` no beginning."""

    def __init__(
        self,
        reducer: Reducer | None,
        compactor: Compactor | None,
        switched_on: Callable[[], bool],
        may_decide: Callable[[], bool],
    ) -> None:
        self._reducer, self._compactor = reducer, compactor
        self._switched_on, self._may_decide = switched_on, may_decide

    def drop(self, session_id: int) -> None:
        """The log does not hold what was decided last, or something else was decided beside the traffic."""
        if self._reducer is not None:
            self._reducer.drop(session_id)

    def is_long(self, facts: RequestFacts) -> bool:
        """Whether looking at it takes so long that it is done in a thread, where nothing is known of it."""
        if self._reducer is None or not facts.results or facts.count > _MOST_MESSAGES:
            return False
        return facts.tokens >= _LONG and self._switched_on()

    async def prepare(self, incoming: Incoming, session_id: int | None, memory: SessionMemory) -> Prepared | None:
        """Look at a long conversation that nothing is known of in a thread; `adopt` it once its session is known. None
        where there is nothing to do."""
        if self._reducer is None or (session_id is not None and self._reducer.knows(session_id)):
            return None
        short = self._shortened(incoming, incoming.facts, memory)
        try:
            return await asyncio.to_thread(self._reducer.prepared, session_id, memory, short.messages, short.facts)
        except _FAILURES:
            return None  # what fails in `sending` too, and is told of there

    def adopt(self, session_id: int, prepared: Prepared) -> None:
        if self._reducer is not None:
            self._reducer.adopt(session_id, prepared)

    def sending(
        self,
        incoming: Incoming,
        facts: RequestFacts,
        session_id: int,
        exchange_id: int,
        memory: SessionMemory,
        tools: int,
    ) -> Sending:
        """Never raises for what the request holds. `tools` are the tokens of its tools."""
        as_came = _as_it_came(incoming, facts)
        on = self._reducer is not None and self._switched_on()
        if not on:
            as_came = msgspec.structs.replace(as_came, skipped_reason="off")
        if facts.count > _MOST_MESSAGES:
            return as_came if not on else msgspec.structs.replace(as_came, skipped_reason="too_many_messages")
        decided: list[NewEvent] = []  # what stays decided, also where it cannot be carried out
        try:
            found = self._found(incoming, facts, session_id, memory, on=on)
            tokens = found.tokens + tools
            full = self._compactor is not None and self._compactor.is_full(memory, tokens, incoming.max_context)
            if full and self._compacts(incoming, session_id, exchange_id, memory, tokens, found, decided):
                found = self._found(incoming, facts, session_id, memory, on=on)
            return _sending(as_came, facts, found, full=full, decided=tuple(decided))
        except _FAILURES as error:
            _log.error("a context could not be reduced: %s", type(error).__name__)
        self.drop(session_id)
        return msgspec.structs.replace(as_came, skipped_reason="failed", decided=tuple(decided))

    def _found(
        self, incoming: Incoming, facts: RequestFacts, session_id: int, memory: SessionMemory, *, on: bool
    ) -> _Found:
        short = self._shortened(incoming, facts, memory)
        if self._reducer is None or not on or not short.facts.results:
            return _Found(short, None)  # only results of tools are ever replaced
        fresh = facts.count - memory.received.shared(facts.refs) if short.last is not None else None
        reduced = self._reducer.reduce(
            session_id,
            memory,
            short.messages,
            short.facts,
            ratio=incoming.cached_price_ratio,
            now=time.monotonic(),
            decide=self._may_decide(),
            fresh=fresh,
        )
        return _Found(short, reduced)

    def _shortened(self, incoming: Incoming, facts: RequestFacts, memory: SessionMemory) -> Shortened:
        short = Shortened(incoming.request.messages, facts)
        if self._compactor is None:
            return short
        return self._compactor.shortened(memory, incoming.request.messages, short)

    def _compacts(
        self,
        incoming: Incoming,
        session_id: int,
        exchange_id: int,
        memory: SessionMemory,
        tokens: int,
        found: _Found,
        decided: list[NewEvent],
    ) -> bool:
        """Whether a full context was compacted just now; `decided` gets the events."""
        if self._compactor is None or not self._may_decide():
            return False
        reduced, window = found.reduced, incoming.max_context
        after = reduced.after if reduced is not None else {}
        made = self._compactor.compact(session_id, exchange_id, memory, found.short, after, tokens, window)
        if made is None:
            return False
        decided += made.events
        if made.performed:  # what was masked just now is left out, or whole again: decided anew
            for held in reduced.new if reduced is not None else ():
                memory.replaced.withdraw(held)
            self.drop(session_id)
        return made.performed


def _sending(
    as_came: Sending, facts: RequestFacts, found: _Found, *, full: bool, decided: tuple[NewEvent, ...]
) -> Sending:
    short, reduced = found.short, found.reduced
    if short.last is None and reduced is None:
        return msgspec.structs.replace(as_came, over_threshold=full, decided=decided)
    messages = reduced.messages if reduced is not None else short.messages
    body = join(as_came.envelope, messages)
    if body == as_came.body:
        raise EnvelopeError("the messages could not be found in the body")
    return Sending(
        body=body,
        refs=reduced.refs if reduced is not None else short.facts.refs,
        envelope=as_came.envelope,
        saved=facts.tokens - found.tokens,
        steps=(*short.steps, *(reduced.steps if reduced is not None else ())),
        events=reduced.events if reduced is not None else (),
        bodies=reduced.bodies if reduced is not None else (),
        new=reduced.new if reduced is not None else (),
        skipped_reason=as_came.skipped_reason if short.last is None else None,
        decided=decided,
        over_threshold=full,
    )


def _as_it_came(incoming: Incoming, facts: RequestFacts) -> Sending:
    envelope = incoming.request.envelope
    if incoming.sent_body is not incoming.body:
        envelope = incoming.sent_envelope or split(incoming.sent_body, incoming.request.messages)
    return Sending(body=incoming.sent_body, refs=facts.refs, envelope=envelope)
