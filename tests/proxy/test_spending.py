"""What was used, folded from a real log: by day, at its very edges, and by session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.wiring_rates import restore_rates
from proxy.budgets import Amount, Budgets, Limits
from proxy.limiter import Limiter
from proxy.rate import RequestRate
from proxy.rate_window import Window
from proxy.spending import last_before, restore_day, session_account
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, SentLast, Timings, Usage
from schema.keys import KeyStore
from schema.log import EventLog
from schema.moving import ExchangeReassigned
from schema.recorded import NewEvent
from tests.schema.writing import Writing

DAY = 86_400_000
MIDNIGHT = 20_000 * DAY


class Made:
    """A log whose events have the times that the test names."""

    def __init__(self, log: EventLog) -> None:
        self.log, self.now = log, MIDNIGHT

    def add(self, *events: Any, at: int) -> None:
        self.now = at
        with Writing(self.log, clock=lambda: self.now * 1_000_000) as writing:
            writing.commit(*events)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    keys = KeyStore(tmp_path / "keys.sqlite")
    log = EventLog(tmp_path / "events.sqlite", keys)
    yield Made(log)
    log.close()
    keys.close()


def began(number: int, session: int = 1, key: str | None = None) -> NewEvent:
    event = ExchangeStarted(
        session_id=session,
        exchange_id=number,
        model_sent="m",
        provider="p",
        resolution=Resolution(rule="auto_new"),
        received=MessageRefs(count=1, tokens=5),
        envelope_ref="e" * 64,
        key=key,
    )
    return NewEvent(f"exchange-{number}", event)


def ended(number: int, tokens: int, session: int = 1, last: SentLast | None = None) -> NewEvent:
    usage = Usage(source="measured", prompt_tokens=tokens, total_tokens=tokens)
    event = ExchangeCompleted(session_id=session, exchange_id=number, usage=usage, timings=Timings(), sent_last=last)
    return NewEvent(f"exchange-{number}", event)


def price(provider: str, model: str, usage: Usage, at: int) -> int | None:
    return usage.total_tokens * (2 if provider == "dear" else 1)


def budgets(now: int) -> Budgets:
    limits = Limits(day=Amount(tokens=1_000), keys={"alice": Amount(tokens=100)}, session=Amount(tokens=100))
    return Budgets(limits, price, lambda: now)


def test_an_exchange_is_of_the_day_on_which_it_began(made: Made) -> None:
    made.add(began(1), began(2), ended(1, 7), at=MIDNIGHT - 1)
    made.add(ended(2, 100), began(3, key="alice"), ended(3, 10), at=MIDNIGHT)
    made.add(began(4), began(5, key="bob"), ended(5, 20), at=MIDNIGHT + 5)
    today = budgets(MIDNIGHT + 10)
    restore_day(made.log, today, MIDNIGHT + 10)
    used = {account.name: account.used for account in today.accounts()}
    assert used == {"the day": Amount(30, 30, 2), "key alice": Amount(10, 10, 1)}


def test_a_fallback_has_the_price_of_who_answered(made: Made) -> None:
    made.add(began(1), ended(1, 10, last=SentLast(provider="dear", model="m", envelope_ref="e")), at=MIDNIGHT)
    assert session_account(made.log, budgets(MIDNIGHT), (1,)).used == Amount(10, 20, 1)


def test_a_session_has_what_is_its_own_now(made: Made) -> None:
    made.add(began(1), ended(1, 1), began(2), ended(2, 10), began(3, 2), ended(3, 100, 2), at=MIDNIGHT)
    moved = ExchangeReassigned(session_id=2, exchange_id=2, from_=1, to=2)
    made.add(NewEvent("workspace", moved), at=MIDNIGHT + 1)
    used = [session_account(made.log, budgets(MIDNIGHT), family).used.tokens for family in ((1,), (2,), (1, 2))]
    assert used == [1, 110, 111]


@pytest.mark.parametrize(("ms", "position"), [(-5, 0), (0, 0), (1, 2), (10, 2), (11, 3), (99, 3)])
def test_the_last_event_before_a_time(made: Made, ms: int, position: int) -> None:
    assert last_before(made.log, MIDNIGHT + ms) == 0
    made.add(began(1), began(2), at=MIDNIGHT)
    made.add(began(3), at=MIDNIGHT + 10)
    assert last_before(made.log, MIDNIGHT + ms) == position


def test_the_last_minute_is_counted_after_a_restart(made: Made) -> None:
    made.add(began(1), at=MIDNIGHT - 60_000)
    made.add(began(2), at=MIDNIGHT - 59_999)
    made.add(began(3, key="k"), at=MIDNIGHT)
    rate = RequestRate(lambda: 5.0)
    windows = {"k": Window("key k", 9)}
    limits = Limiter("enforce", Window("all", 9), {}, windows, max_wait_s=1.0, clock=lambda: 5.0)
    restore_rates(made.log, rate, limits, MIDNIGHT)
    assert (rate.current(), [each.current_rpm for each in limits.used()]) == (2, [2, 1])
