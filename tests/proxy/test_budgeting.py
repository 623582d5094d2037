"""What a request may come to: as long as it says, and on the route that it takes in the end."""

import json
from typing import Any, cast

import pytest

from context.tokens import TextCounter
from proxy.budgeting import Budgeting
from proxy.budgets import Amount, Budgets, Limits
from proxy.caller import Caller
from proxy.facts import FactsCache
from proxy.openai_errors import LimitRefusal
from proxy.providers import Provider, Route
from proxy.running import Held, Incoming
from proxy.wire import decode_chat
from schema.exchanges import Usage
from schema.log import EventLog

COUNT: TextCounter = len
INPUT, MODELS_OWN, DEFAULT = 10, 70, 50
RATES = {"cheap": 1, "dear": 100}  # micro-dollars a token; others have no price


def price(provider: str, model: str, usage: Usage, at: int) -> int | None:
    rate = RATES.get(model)
    return None if rate is None else rate * usage.total_tokens


def desk(**limits: Any) -> Budgeting:
    budgets = Budgets(Limits(output_tokens=DEFAULT, **limits), price, lambda: 0)
    longest = {"long": MODELS_OWN}.get
    return Budgeting(budgets, cast(EventLog, None), longest, lambda number: (number,))


def route(model: str) -> Route:
    provider = Provider(key="p", type="openai")
    return Route(provider=provider, upstream_model=model, model_key=model, max_context=1_000)


def incoming(said: str = "", model: str = "cheap") -> Incoming:
    body = f'{{"messages":[{json.dumps({"role": "user", "content": "hello"})}]{said}}}'.encode()
    request = decode_chat(body)
    return Incoming(
        body=body,
        request=request,
        facts=FactsCache(1, COUNT, str).of_long_request(request.messages),
        caller=Caller((), None),
        request_id="r",
        arrived=0.0,
        sent_body=body,
        provider="p",
        model_key=model,
        model_sent=model,
    )


@pytest.mark.parametrize(
    ("said", "model", "output"),
    [
        ("", "cheap", DEFAULT),
        ("", "long", MODELS_OWN),
        (',"max_tokens":30', "long", 30),
        (',"max_tokens":30,"max_completion_tokens":40', "long", 40),
        (',"max_tokens":30,"n":25', "cheap", 750),
        (',"max_tokens":30.5', "cheap", 31),
        (',"max_tokens":3e1', "cheap", 30),
        (',"max_tokens":1e9', "cheap", 10**9),
        (',"max_tokens":0', "cheap", DEFAULT),
        (',"max_tokens":-30', "cheap", DEFAULT),
        (',"max_tokens":"30","n":true', "cheap", DEFAULT),
        (',"max_tokens":null,"n":null', "cheap", DEFAULT),
    ],
)
def test_as_long_as_it_says(said: str, model: str, output: int) -> None:
    wanted = desk(day=Amount(tokens=10**18)).affordable(None, incoming(said, model), INPUT)
    assert wanted.amount.tokens == INPUT + output


@pytest.mark.parametrize(
    "said",
    [
        ',"max_tokens":100000000000000000000000',
        ',"max_tokens":1e23',
        ',"max_completion_tokens":1e400',
        ',"max_tokens":' + "9" * 5_000,
        ',"n":1e30',
        ',"n":1000000000000000000000000000000',
        ',"n":1099511627777',
    ],
)
def test_what_nobody_could_pay_is_not_taken_for_nothing(said: str) -> None:
    with pytest.raises(LimitRefusal, match="budget of the day is 1,000,000,000 tokens"):
        desk(day=Amount(tokens=10**9)).affordable(None, incoming(said), INPUT)


def held(budgeting: Budgeting, request: Incoming) -> Held:
    return budgeting.reserve(1, request, INPUT, budgeting.affordable(1, request, INPUT))


def reserved(budgeting: Budgeting) -> Amount:
    (account,) = budgeting.budgets.accounts()
    return account.reserved


def test_a_dearer_route_is_paid_for_before_it_is_taken() -> None:
    budgeting = desk(day=Amount(micro_usd=6_100))
    first = held(budgeting, incoming())
    assert reserved(budgeting) == Amount(60, 60, 1)
    assert first.affords(route("dear"))
    first.change(route("dear"))
    assert reserved(budgeting) == Amount(60, 6_000, 1)
    second = held(budgeting, incoming())
    assert not second.affords(route("dear"))
    assert second.affords(route("cheap"))
    first.settle(Usage(source="measured", prompt_tokens=1, total_tokens=1), "p", "dear")
    second.settle(Usage(), None, None)
    (account,) = budgeting.budgets.accounts()
    assert (account.used, account.reserved) == (Amount(1, 100, 2), Amount())


def test_a_longer_answer_of_the_other_model_counts() -> None:
    budgeting = desk(day=Amount(tokens=INPUT + MODELS_OWN - 1))
    assert not held(budgeting, incoming()).affords(route("long"))
    assert held(desk(day=Amount(tokens=INPUT + MODELS_OWN)), incoming()).affords(route("long"))


def test_a_route_without_a_price_is_refused_where_prices_must_be_known() -> None:
    budgeting = desk(day=Amount(micro_usd=10**9), priced_only=True)
    assert not held(budgeting, incoming()).affords(route("free"))
    assert held(desk(day=Amount(micro_usd=10**9)), incoming()).affords(route("free"))
    assert held(desk(day=Amount(tokens=10**9), priced_only=True), incoming()).affords(route("free"))


def test_what_is_over_already_does_not_forbid_a_route_that_needs_no_more() -> None:
    budgeting = desk(day=Amount(tokens=120))
    first, second = held(budgeting, incoming()), held(budgeting, incoming())
    first.settle(Usage(source="measured", prompt_tokens=500, total_tokens=500), None, None)
    assert second.affords(route("dear"))
    assert not second.affords(route("long"))


def test_what_is_settled_holds_nothing_again() -> None:
    budgeting = desk(day=Amount(tokens=1_000))
    first = held(budgeting, incoming())
    first.settle(Usage(), None, None)
    first.change(route("dear"))
    assert reserved(budgeting) == Amount()
