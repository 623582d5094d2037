"""Requests that are refused before anything is sent: told of, but not one by one."""

import time
from collections import OrderedDict

from proxy.openai_errors import Refusal
from proxy.running import Incoming
from schema.exchanges import ExchangeRefused
from schema.recorded import NewEvent

_MINUTE_S = 60.0
_SESSIONS = 1_000


def context_stream(session_id: int) -> str:
    """Of what is found out about a session's context beside the traffic; nobody waits for it, nobody expects a
    version."""
    return f"context-{session_id}"


class Refusals:
    """Refused requests by session, told of once a minute."""

    def __init__(self) -> None:
        self._told: OrderedDict[int, tuple[float, int]] = OrderedDict()  # when last, and how many since

    def count(self, session_id: int, now: float) -> int:
        """One more; how many are to be told of now, 0 where it is too early."""
        last, more = self._told.pop(session_id, (-_MINUTE_S, 0))
        early = now - last < _MINUTE_S
        self._told[session_id] = (last, more + 1) if early else (now, 0)
        if len(self._told) > _SESSIONS:
            self._told.popitem(last=False)
        return 0 if early else more + 1

    def too_long(self, incoming: Incoming, session_id: int, tokens: int) -> tuple[Refusal, list[NewEvent]]:
        """More than the model's window holds, although it was reduced: the answer, and what is to be told of it now."""
        limit, count = incoming.max_context, self.count(session_id, time.monotonic())
        text = f"The request has about {tokens:,} tokens, the model's window {limit:,}."
        refusal = Refusal(400, text, "context_length_exceeded", "messages")
        if not count:
            return refusal, []
        event = ExchangeRefused(
            session_id=session_id,
            code="context_length_exceeded",
            count=count,
            tokens=tokens,
            limit=limit,
            model_sent=incoming.model_sent,
            provider=incoming.provider,
        )
        return refusal, [NewEvent(context_stream(session_id), event)]
