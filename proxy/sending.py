"""What goes upstream for a request: as it came, or with outputs of tools replaced.

Savings fail open: where reducing fails, the request goes as it came, and the exchange says why.
"""

import logging
import time
from collections.abc import Callable

import msgspec

from proxy.envelope import join, split
from proxy.facts import RequestFacts
from proxy.memory import SessionMemory
from proxy.reducing import Reducer
from proxy.running import Incoming
from schema.exchanges import ReductionStep
from schema.recorded import Body
from schema.registry import Event

_FAILURES = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, msgspec.MsgspecError)

_log = logging.getLogger("chronoproxy.reduction")


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What goes upstream: its body, its messages' refs and what is around them; how it was reduced."""

    body: bytes
    refs: bytes
    envelope: bytes
    saved: int = 0
    steps: tuple[ReductionStep, ...] = ()
    events: tuple[Event, ...] = ()
    bodies: tuple[Body, ...] = ()
    skipped_reason: str | None = None


class Sender:
    """`switched_on` is asked for each request, `may_decide` whether the log can take new decisions now. Without a
    `reducer` everything goes as it came."""

    def __init__(
        self, reducer: Reducer | None, switched_on: Callable[[], bool], may_decide: Callable[[], bool]
    ) -> None:
        self._reducer, self._switched_on, self._may_decide = reducer, switched_on, may_decide

    def drop(self, session_id: int) -> None:
        """The log does not hold what was decided last."""
        if self._reducer is not None:
            self._reducer.drop(session_id)

    def sending(self, incoming: Incoming, facts: RequestFacts, session_id: int, memory: SessionMemory) -> Sending:
        """Never raises for what the request holds."""
        as_came = _as_it_came(incoming, facts)
        if self._reducer is None or not self._switched_on():
            return msgspec.structs.replace(as_came, skipped_reason="off")
        try:
            reduced = self._reducer.reduce(
                session_id,
                memory,
                incoming.request.messages,
                facts,
                ratio=incoming.cached_price_ratio,
                now=time.monotonic(),
                decide=self._may_decide(),
            )
            if reduced is None:
                return as_came
            body = join(as_came.envelope, reduced.messages)
        except _FAILURES as error:
            _log.error("a context could not be reduced: %s", type(error).__name__)
            body, reduced = as_came.body, None
        if reduced is None or body == as_came.body:  # or the messages could not be found in the body
            self._reducer.drop(session_id)
            return msgspec.structs.replace(as_came, skipped_reason="failed")
        return Sending(
            body=body,
            refs=reduced.refs,
            envelope=as_came.envelope,
            saved=reduced.saved,
            steps=reduced.steps,
            events=reduced.events,
            bodies=reduced.bodies,
        )


def _as_it_came(incoming: Incoming, facts: RequestFacts) -> Sending:
    envelope = incoming.request.envelope
    if incoming.sent_body is not incoming.body:
        envelope = split(incoming.sent_body, incoming.request.messages)
    return Sending(body=incoming.sent_body, refs=facts.refs, envelope=envelope)
