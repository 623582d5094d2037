"""Budgets: what is let through, what is held, what is left. The clock is the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.budgets import Account, Amount, Budgets, Limits, Reservation, Wanted
from proxy.openai_errors import LimitRefusal
from schema.exchanges import Usage

NOON = 43_200_000  # ms since the epoch: 1970-01-01T12:00:00Z
DAY = 86_400_000


def price(provider: str, model: str, usage: Usage, at: int) -> int | None:
    """A micro-dollar a token; one model has no price."""
    return usage.total_tokens if model != "free" else None


class Desk:
    def __init__(self, **limits: object) -> None:
        self.now = NOON
        self.budgets = Budgets(Limits(**limits), price, lambda: self.now)  # type: ignore[arg-type]

    def ask(self, tokens: int, *, session: int = 1, key: str | None = None, model: str = "m") -> Reservation:
        wanted = self.budgets.wanted("p", model, tokens, 0)
        self.budgets.check(session, key, wanted)
        return self.budgets.reserve(session, key, wanted)

    def state(self, session: int | None = None) -> dict[str, tuple[Amount, Amount]]:
        return {account.name: (account.used, account.reserved) for account in self.budgets.accounts(session)}


def test_what_is_reserved_is_not_there_for_others() -> None:
    desk = Desk(day=Amount(tokens=100))
    first = desk.ask(60)
    with pytest.raises(LimitRefusal, match="budget of the day is 100 tokens: 0 tokens used, 60 tokens reserved"):
        desk.ask(41)
    desk.ask(40)
    first.settle(Amount(10, 10, 1), priced=True)
    desk.ask(50)
    assert desk.state() == {"the day": (Amount(10, 10, 1), Amount(90, 90, 2))}


def test_a_reservation_is_settled_once() -> None:
    desk = Desk(day=Amount(requests=2))
    held = desk.ask(1)
    held.settle(Amount(1, 1, 1), priced=True)
    held.settle(Amount(1, 1, 1), priced=True)
    assert desk.state() == {"the day": (Amount(1, 1, 1), Amount())}


def test_the_refusal_says_which_budget_and_when_it_resets() -> None:
    desk = Desk(keys={"alice": Amount(micro_usd=5_000_000)})
    with pytest.raises(LimitRefusal) as refused:
        desk.ask(5_000_001, key="alice")
    assert (refused.value.status, refused.value.code) == (429, "budget_exceeded")
    assert (refused.value.scope, refused.value.limit, refused.value.unit) == (
        *("budget of key alice", 5_000_000, "micro_usd"),
    )
    headers = dict(refused.value.headers)
    assert (headers[b"x-budget-reset"], headers[b"retry-after"]) == (b"1970-01-02T00:00:00Z", b"43200")
    assert headers[b"x-should-retry"] == b"false"
    assert "$5.0000" in refused.value.message and "resets at 1970-01-02" in refused.value.message
    desk.ask(5_000_001, key="bob")


def test_a_new_day_is_a_new_budget_and_old_exchanges_are_of_the_old_one() -> None:
    desk = Desk(day=Amount(tokens=100))
    held = desk.ask(100)
    desk.now += DAY
    desk.ask(90)
    held.settle(Amount(100, 100, 1), priced=True)
    assert desk.state() == {"the day": (Amount(), Amount(90, 90, 1))}
    desk.now -= DAY
    with pytest.raises(LimitRefusal):
        desk.ask(11)


def test_sessions_have_theirs_for_ever() -> None:
    desk = Desk(session=Amount(tokens=100))
    assert not desk.budgets.knows(1)
    desk.budgets.add_session(1, Account("the session", Amount(tokens=100), used=Amount(tokens=95)))
    desk.now += 40 * DAY
    with pytest.raises(LimitRefusal, match="does not reset"):
        desk.ask(6, session=1)
    desk.ask(100, session=2)
    assert desk.state(1) == {"the session": (Amount(tokens=95), Amount())}
    desk.budgets.forget(1)
    assert not desk.budgets.knows(1)


def test_a_session_that_is_yet_to_be_is_checked_too() -> None:
    desk = Desk(session=Amount(tokens=100))
    with pytest.raises(LimitRefusal):
        desk.budgets.check(None, None, Wanted(Amount(tokens=101), True))
    desk.budgets.check(None, None, Wanted(Amount(tokens=100), True))
    assert desk.budgets.accounts() == []


def test_what_has_no_price_is_counted_or_refused() -> None:
    desk = Desk(day=Amount(micro_usd=10))
    amount, priced = desk.budgets.price("p", "free", Usage(total_tokens=9), 0)
    desk.ask(1_000, model="free").settle(amount, priced=priced)
    (account,) = desk.budgets.accounts()
    assert (account.used, account.unpriced) == (Amount(9, 0, 1), 1)
    with pytest.raises(LimitRefusal, match="no price"):
        Desk(day=Amount(micro_usd=10), priced_only=True).ask(1, model="free")
    Desk(day=Amount(tokens=10), priced_only=True).ask(1, model="free")


def test_sessions_that_hold_nothing_are_forgotten_first() -> None:
    desk = Desk(session=Amount(tokens=100))
    held = desk.ask(1, session=0)
    for number in range(1, 1_100):
        desk.ask(1, session=number).settle(Amount(1, 0, 1), priced=True)
    assert desk.budgets.knows(0) and desk.budgets.knows(1_099) and not desk.budgets.knows(5)
    held.settle(Amount(), priced=True)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=40))
def test_never_more_than_the_limit_while_nobody_uses_more_than_was_reserved(steps: list[tuple[int, int]]) -> None:
    desk, open_ = Desk(day=Amount(tokens=100)), []
    for tokens, choice in steps:
        try:
            open_.append((tokens, desk.ask(tokens)))
        except LimitRefusal:
            continue
        if choice and open_:
            most, held = open_.pop(choice % len(open_))
            held.settle(Amount(most // choice, 0, 1), priced=True)
        ((used, reserved),) = desk.state().values()
        assert used.tokens + reserved.tokens <= 100
        assert reserved.tokens == sum(most for most, _ in open_)
