"""Budgets as clients meet them: many at once, killed in the midst, and over a restart."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

PRICED = "[models.priced]\nprovider = 'mock'\nprice = { input = 1.0, output = 100.0 }\n"


def post(proxy: ProxyProcess, text: str = "hello", key: str = "", **more: Any) -> httpx.Response:
    headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
    body = {"model": "mock", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}
    return httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def budgets(proxy: ProxyProcess, **query: Any) -> dict[str, Any]:
    return {each["name"]: each for each in proxy.get("/api/budgets", **query)["budgets"]}


@pytest.fixture
def requests_a_day(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url, "[budgets]\nday = { requests = 10 }\n")) as proxy:
        yield proxy


def test_64_clients_on_a_budget_for_10_and_a_crash(requests_a_day: ProxyProcess) -> None:
    proxy = requests_a_day
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
    assert state["requests"] == {"limit": 10, "used": 10, "reserved": 0, "left": 0}
    assert state["tokens"] == {"limit": None, "used": 180, "reserved": 0, "left": None}
    assert proxy.get("/api/sessions") and len(proxy.get("/api/sessions")) == 10  # none was started for a refusal
    proxy.stop(signal.SIGKILL)
    proxy.start()
    assert budgets(proxy)["the day"] == state
    assert post(proxy).status_code == 429


def test_what_was_held_when_the_process_died_is_free_again(requests_a_day: ProxyProcess) -> None:
    proxy = requests_a_day
    with ThreadPoolExecutor(4) as pool:
        hanging = [
            pool.submit(httpx.post, f"{proxy.url}/v1/chat/completions", json=body, headers=plan(stall="before_headers"))
            for body in [{"model": "mock", "messages": [{"role": "user", "content": f"h {n}"}]} for n in range(4)]
        ]
        while budgets(proxy)["the day"]["requests"]["reserved"] < 4:
            pass
        proxy.stop(signal.SIGKILL)
        assert all(isinstance(each.exception(), httpx.HTTPError) for each in hanging)
    proxy.start()
    state = budgets(proxy)["the day"]
    assert state["requests"] == {"limit": 10, "used": 4, "reserved": 0, "left": 6}
    assert state["tokens"]["used"] > 0  # the prompts may have been paid for
    assert [post(proxy, f"n {number}").status_code for number in range(7)] == [200] * 6 + [429]


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


def test_what_moves_takes_its_use_along(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url, "[budgets]\nsession = { requests = 5 }\n")) as proxy:
        ids = []
        for name in ("x", "x", "y"):
            answer = post(proxy, name, headers={"X-Session-Id": name})
            ids.append((int(answer.headers["x-session-id"]), int(answer.headers["x-exchange-id"])))
            proxy.finished(ids[-1][1])
        (first, moved), (second, _) = ids[0], ids[2]
        httpx.post(f"{proxy.url}/api/exchanges/{moved}/reassign", json={"session_id": second})
        used = [budgets(proxy, session_id=number)["the session"]["requests"]["used"] for number in (first, second)]
        assert used == [1, 2]
        httpx.post(f"{proxy.url}/api/sessions/{second}/merge", json={"source_ids": [first]})
        assert budgets(proxy, session_id=second)["the session"]["requests"]["used"] == 3


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
