"""Limits, and providers that were asked again, in the golden log `v1-limits`."""

import msgspec

from schema.exchanges import ExchangeCompleted, ExchangeRefused, ExchangeStarted, SentLast, Try
from schema.recorded import Body, NewEvent


def limit_events(
    started: ExchangeStarted, completed: ExchangeCompleted, question: Body, envelope: Body, answer: Body
) -> tuple[NewEvent, ...]:
    """As `started` and `completed`, but with what limits and fallbacks add."""
    tries = (
        Try(provider="demo", model="echo", http_status=503, duration_ms=1.5),
        Try(provider="demo", model="echo", error_code="upstream_unreachable", duration_ms=0.5, waited_ms=500.0),
        Try(provider="spare", model="echo-2", http_status=200, duration_ms=12.0),
    )
    last = SentLast(provider="spare", model="echo-2", envelope_ref=envelope.ref)
    return (
        NewEvent("exchange-1", msgspec.structs.replace(started, key="alice"), (question, envelope)),
        NewEvent("exchange-1", msgspec.structs.replace(completed, tries=tries, sent_last=last), (answer, envelope)),
        NewEvent(
            "context",
            ExchangeRefused(
                code="rate_limit_exceeded",
                count=3,
                tokens=7,
                limit=40,
                model_sent="echo",
                provider="demo",
                scope="all requests",
                unit="requests",
            ),
        ),
    )
