"""Requests that are refused before anything is sent: told of, but not one by one."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import msgspec

from proxy.openai_errors import LimitRefusal, Refusal
from proxy.running import Incoming
from schema.appends import Append
from schema.exchanges import ExchangeRefused
from schema.recorded import Metadata, NewEvent

_MINUTE_S = 60.0
_KEPT = 1_000

_Kind = tuple[int | None, str, str | None]  # session, code, and where there is no session the name of the key


def context_stream(session_id: int | None) -> str:
    """Of what is found out about a session's context beside the traffic; nobody waits for it, nobody expects a
    version. Without a session: of requests that belong to none."""
    return f"context-{session_id}" if session_id is not None else "context"


class _Told(msgspec.Struct):
    """When the last event was, and what has not been told since: with its timer."""

    at: float
    more: int = 0
    last: ExchangeRefused | None = None
    metadata: Metadata | None = None
    timer: asyncio.TimerHandle | None = None


class Refusals:
    """Refused requests by session and code: the first is told at once, those of the next minute together at its end.
    Those that belong to no session are of the key with which they came.

    `append` takes an event that nobody waits for."""

    def __init__(self, append: Callable[[Append], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._append, self._clock = append, clock
        self._told: OrderedDict[_Kind, _Told] = OrderedDict()
        self.counts: dict[str, int] = {}  # of this run, by code

    def tell(self, refused: ExchangeRefused, metadata: Metadata) -> list[NewEvent]:
        """One more; the events that are to be recorded now."""
        self.counts[refused.code] = self.counts.get(refused.code, 0) + 1
        session_id = refused.session_id
        kind = (session_id, refused.code, metadata.by if session_id is None else None)
        told, now = self._told.get(kind), self._clock()
        if told is None or (not told.more and now - told.at >= _MINUTE_S):
            self._told[kind] = _Told(now)
            self._told.move_to_end(kind)
            self._bound()
            return [_event(refused)]
        told.more, told.last, told.metadata = told.more + 1, refused, metadata
        if told.timer is None:
            delay = max(told.at + _MINUTE_S - now, 0.0)
            told.timer = asyncio.get_running_loop().call_later(delay, partial(self._tell_later, kind))
        return []

    def flush(self) -> None:
        """Tell now what waits for its minute to end."""
        for kind in list(self._told):
            self._tell_later(kind)

    def _tell_later(self, kind: _Kind) -> None:
        told = self._told.get(kind)
        if told is None or told.last is None or told.metadata is None:
            return
        if told.timer is not None:
            told.timer.cancel()
        event = _event(msgspec.structs.replace(told.last, count=told.more))
        self._told[kind] = _Told(self._clock())
        self._append(Append(events=[event], metadata=told.metadata, keep=True))

    def _bound(self) -> None:
        if len(self._told) > _KEPT:
            oldest = next(iter(self._told))
            self._tell_later(oldest)
            del self._told[oldest]


def too_long(incoming: Incoming, session_id: int, tokens: int) -> tuple[Refusal, ExchangeRefused]:
    """More than the model's window holds, although it was reduced."""
    limit = incoming.max_context
    text = f"The request has about {tokens:,} tokens, the model's window {limit:,}."
    event = ExchangeRefused(
        session_id=session_id,
        code="context_length_exceeded",
        count=1,
        tokens=tokens,
        limit=limit,
        model_sent=incoming.model_sent,
        provider=incoming.provider,
    )
    return Refusal(400, text, "context_length_exceeded", "messages"), event


def over_limit(refusal: LimitRefusal, incoming: Incoming, session_id: int | None, tokens: int) -> ExchangeRefused:
    """What is recorded of a request that a limit did not let through."""
    return ExchangeRefused(
        session_id=session_id,
        code=refusal.reason,
        count=1,
        tokens=tokens,
        limit=refusal.limit,
        model_sent=incoming.model_sent,
        provider=incoming.provider,
        scope=refusal.scope,
        unit=refusal.unit,
    )


def _event(refused: ExchangeRefused) -> NewEvent:
    return NewEvent(context_stream(refused.session_id), refused)
