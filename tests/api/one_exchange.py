"""A session's exchange of four messages and an answer, as events with their bodies."""

import json
from typing import Any

from schema.blobs import content_ref
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.recorded import Body, NewEvent

LONG = "x" * 3_000
CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}


def body(**fields: Any) -> Body:
    data = json.dumps(fields).encode()
    return Body(content_ref(data), data)


SYSTEM = body(role="system", content="You are an agent.")
ASKED = body(role="user", content=LONG)
CALLED = body(role="assistant", content=None, tool_calls=[CALL])
RESULT = body(role="tool", tool_call_id="c1", content="a result")
ANSWER = body(role="assistant", content="the answer")
MASK = body(role="tool", tool_call_id="c1", content="[masked]")
RECEIVED = (SYSTEM, ASKED, CALLED, RESULT)


def exchange_events(*, sent: tuple[Body, ...] = (), bodies: bool = True) -> list[NewEvent]:
    """Of session 1; with `sent`, other messages went upstream, without `bodies` no contents were recorded."""
    started = ExchangeStarted(
        session_id=1,
        exchange_id=1,
        model_sent="echo",
        provider="demo",
        resolution=Resolution(rule="auto_new"),
        received=MessageRefs(added=tuple(each.ref for each in RECEIVED), count=4, tokens=9),
        sent=MessageRefs(added=tuple(each.ref for each in sent), count=len(sent), tokens=5) if sent else None,
        envelope_ref="e" * 64,
    )
    ended = ExchangeCompleted(
        session_id=1, exchange_id=1, usage=Usage(), timings=Timings(), answer_ref=ANSWER.ref, http_status=200
    )
    stored = (*RECEIVED, *(each for each in sent if each not in RECEIVED)) if bodies else ()
    return [
        NewEvent("exchange-1", started, stored),
        NewEvent("exchange-1", ended, (ANSWER,) if bodies else ()),
    ]
