"""One exchange begins once and ends once."""

import pytest

from commands.errors import ConflictError
from commands.exchanges import BeginExchange, Ending, FinishExchange, decide, evolve, initial_state, stream
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    MessageRefs,
    Resolution,
    Timings,
    Usage,
)
from schema.workspace import AutoSessionEnabled
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given

STARTED = ExchangeStarted(
    session_id=1,
    exchange_id=5,
    model_sent="echo",
    provider="demo",
    resolution=Resolution(rule="new"),
    received=MessageRefs(count=1, tokens=2),
    envelope_ref="e" * 64,
)
COMPLETED = ExchangeCompleted(session_id=1, exchange_id=5, usage=Usage(), timings=Timings())
ENDINGS: list[Ending] = [
    COMPLETED,
    ExchangeFailed(session_id=1, exchange_id=5, usage=Usage(), timings=Timings(), error_code="upstream_error"),
    ExchangeCancelled(session_id=1, exchange_id=5, usage=Usage(), timings=Timings()),
    ExchangeInterrupted(session_id=1, exchange_id=5, usage=Usage(), timings=Timings(), cause="shutdown"),
]


def test_it_begins_once() -> None:
    given().when(BeginExchange(STARTED)).then(STARTED)
    given(STARTED).when(BeginExchange(STARTED)).then_rejected(ConflictError, "exchange_begun")
    given(STARTED, COMPLETED).when(BeginExchange(STARTED)).then_rejected(ConflictError, "exchange_begun")


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_ends_once_in_any_way(ending: Ending) -> None:
    given(STARTED).when(FinishExchange(ending)).then(ending)
    for other in ENDINGS:
        given(STARTED, ending).when(FinishExchange(other)).then_rejected(ConflictError, "exchange_not_running")


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_does_not_end_before_it_began(ending: Ending) -> None:
    given().when(FinishExchange(ending)).then_rejected(ConflictError, "exchange_not_running")


def test_other_events_leave_it_as_it_is() -> None:
    given(AutoSessionEnabled(), STARTED, AutoSessionEnabled()).when(FinishExchange(COMPLETED)).then(COMPLETED)


def test_stream() -> None:
    assert stream(12) == "exchange-12"
