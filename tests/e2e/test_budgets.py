"""Budgets as clients meet them: many at once, killed in the midst, and over a restart."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

WITHIN_S = 60  # on a busy machine
PRICED = "[models.priced]\nprovider = 'mock'\nprice = { input = 1.0, output = 100.0 }\n"


def post(proxy: ProxyProcess, text: str = "hello", key: str = "", **more: Any) -> httpx.Response:
    headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
    body = {"model": "mock", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}
    return httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S / 2
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def budgets(proxy: ProxyProcess, **query: Any) -> dict[str, Any]:
    return {each["name"]: each for each in proxy.get("/api/budgets", **query)["budgets"]}


def test_64_clients_on_a_budget_for_10_and_crashes(mock: MockProcess) -> None:
    config = config_for(mock.base_url, "[budgets]\nday = { requests = 14 }\n")
    with ProxyProcess(config.replace("read_timeout_s = 3", f"read_timeout_s = {WITHIN_S}")) as proxy:
        killed_while_four_are_running(proxy)
        state = budgets(proxy)["the day"]
        assert state["requests"] == {"limit": 14, "used": 4, "reserved": 0, "left": 10}
        tokens = state["tokens"]["used"]
        assert tokens > 0  # the prompts may have been paid for
        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda number: post(proxy, f"n {number}", headers=plan(delay_ms=50)), range(64)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 54
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"]["code"] == "budget_exceeded"
        assert (refused.headers["x-budget"], refused.headers["x-should-retry"]) == ("the day", "false")
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        for answer in answers:
            if answer.status_code == 200:
                proxy.finished(answer.headers["x-exchange-id"])
        state = budgets(proxy)["the day"]
        assert state["requests"] == {"limit": 14, "used": 14, "reserved": 0, "left": 0}
        assert state["tokens"] == {"limit": None, "used": tokens + 180, "reserved": 0, "left": None}
        assert len(proxy.get("/api/sessions")) == 14  # none was started for a refusal
        proxy.stop(signal.SIGKILL)
        proxy.start()
        assert budgets(proxy)["the day"] == state
        assert post(proxy).status_code == 429


def killed_while_four_are_running(proxy: ProxyProcess) -> None:
    """And started again."""
    bodies = [{"model": "mock", "messages": [{"role": "user", "content": f"h {number}"}]} for number in range(4)]
    stalled = plan(stall="before_headers")
    with ThreadPoolExecutor(4) as pool:
        hanging = [
            pool.submit(httpx.post, f"{proxy.url}/v1/chat/completions", json=body, headers=stalled, timeout=WITHIN_S)
            for body in bodies
        ]
        until(lambda: budgets(proxy)["the day"]["requests"]["reserved"] == 4)
        # reserved before it is in the log: what a kill leaves of it is nothing
        until(lambda: len(proxy.get("/api/events", type="ExchangeStarted")["events"]) == 4)
        proxy.stop(signal.SIGKILL)
        assert all(isinstance(each.exception(), httpx.HTTPError) for each in hanging)
    proxy.start()


def test_a_session_a_key_and_money(mock: MockProcess) -> None:
    section = (
        "[budgets]\nsession = { tokens = 400 }\nkey = { requests = 3 }\n"
        '[keys.alice]\nkey = "alice-0001"\n[keys.bob]\nkey = "bob-0002"\nbudget = { usd = 0.0205 }\n' + PRICED
    )
    with ProxyProcess(config_for(mock.base_url, section)) as proxy:
        alice = [post(proxy, "a", "alice-0001", headers={"X-Session-Id": "one"}) for _ in range(4)]
        assert [answer.status_code for answer in alice] == [200, 200, 200, 429]
        assert alice[3].headers["x-budget"] == "key alice"
        # 100 tokens of output at 100 dollars a million are reserved, 7 are used: 0.0007 dollars and the prompt's
        bob = [post(proxy, f"b {n}", "bob-0002", model="priced", max_completion_tokens=200) for n in range(2)]
        assert [answer.status_code for answer in bob] == [200, 429]
        assert "$0.0205" in bob[1].json()["error"]["message"]
        long = post(proxy, "c " * 400, "bob-0002", headers={"X-Session-Id": "two"})
        assert (long.status_code, long.headers["x-budget"]) == (429, "the session")
        number = int(alice[0].headers["x-session-id"])
        for answer in (*alice[:3], bob[0]):
            proxy.finished(answer.headers["x-exchange-id"])
        state = budgets(proxy, session_id=number)
        assert state["the session"]["tokens"] == {"limit": 400, "used": 54, "reserved": 0, "left": 346}
        counts = [*state["the session"]["tokens"].values(), *state["key alice"]["requests"].values()]
        assert {type(count) for count in counts} == {int}
        assert state["key bob"]["usd"]["used"] == pytest.approx(0.000711)
        assert state["key alice"]["unpriced_requests"] == 3
        assert httpx.get(f"{proxy.url}/api/budgets?session_id=99").status_code == 404
        refused = proxy.get("/api/events", type="ExchangeRefused", order="asc")["events"]
        told = [proxy.get(f"/api/events/{event['position']}")["data"] for event in refused]
        assert [(data["scope"], data["unit"]) for data in told] == [
            ("budget of key alice", "requests"),
            ("budget of key bob", "micro_usd"),
        ]
        proxy.stop()
        proxy.start()
        assert budgets(proxy, session_id=number) == state
        moves_take_their_use_along(proxy, number, int(bob[0].headers["x-session-id"]), alice[0])


def moves_take_their_use_along(proxy: ProxyProcess, first: int, second: int, answer: httpx.Response) -> None:
    path = f"/api/exchanges/{answer.headers['x-exchange-id']}/reassign"
    assert httpx.post(f"{proxy.url}{path}", json={"session_id": second}).status_code == 200
    used = [budgets(proxy, session_id=number)["the session"]["requests"]["used"] for number in (first, second)]
    assert used == [2, 2]
    merged = httpx.post(f"{proxy.url}/api/sessions/{second}/merge", json={"source_ids": [first]})
    assert merged.status_code == 200
    assert budgets(proxy, session_id=second)["the session"]["requests"]["used"] == 4


def test_the_sdk_gives_up_at_once_and_models_without_a_price_are_refused(mock: MockProcess) -> None:
    section = '[budgets]\nday = { usd = 1.0 }\nunpriced = "refuse"\n' + PRICED
    with (
        ProxyProcess(config_for(mock.base_url, section)) as proxy,
        openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="unused") as client,
    ):
        with pytest.raises(openai.RateLimitError, match="no price"):
            client.chat.completions.create(model="mock", messages=[{"role": "user", "content": "hi"}])
        client.chat.completions.create(model="priced", messages=[{"role": "user", "content": "hi"}])
        (event,) = proxy.get("/api/events", type="ExchangeRefused")["events"]
        assert proxy.get(f"/api/events/{event['position']}")["data"]["count"] == 1  # no retry came
