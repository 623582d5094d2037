"""Limits as clients meet them, over real sockets: refused, delayed, shared."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

KEYS = '[keys.alice]\nkey = "alice-key-0001"\nmax_rpm = 2\n[keys.bob]\nkey = "bob-key-0002"\n'
CHAT = {"model": "mock", "messages": [{"role": "user", "content": "hello"}]}


def section(mode: str, rpm: int, wait_ms: int = 50) -> str:
    return f'[rate_limit]\nmode = "{mode}"\nmax_rpm = {rpm}\nmax_wait_ms = {wait_ms}\n'


def post(proxy: ProxyProcess, key: str = "", **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {key}", **headers} if key else headers
    return httpx.post(f"{proxy.url}/v1/chat/completions", json=CHAT, headers=given, timeout=20)


def refused(proxy: ProxyProcess) -> list[dict[str, Any]]:
    events = proxy.get("/api/events", type="ExchangeRefused", order="asc")["events"]
    return [proxy.get(f"/api/events/{event['position']}")["data"] for event in events]


def test_enforcing_answers_429_in_the_shape_of_openai(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url, section("enforce", 10))) as proxy, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(proxy, **plan(delay_ms=20)), range(32)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 22
        with (
            openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="unused", max_retries=0) as client,
            pytest.raises(openai.RateLimitError) as error,
        ):
            client.chat.completions.create(model="mock", messages=[{"role": "user", "content": "hello"}])
        assert (error.value.code, error.value.type) == ("rate_limit_exceeded", "rate_limit_error")
        headers = error.value.response.headers
        assert 1 <= int(headers["retry-after"]) <= 60
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("10", "0")
        status = proxy.get("/api/rate-limit")
        assert (status["current_rpm"], status["percentage"], status["status"]) == (10, 100, "critical")
        assert status["limits"] == [{"name": "all requests", "current_rpm": 10, "max_rpm": 10, "percentage": 100}]
        assert 'chronoproxy_refused_total{code="rate_limit_exceeded"} 23.0' in httpx.get(f"{proxy.url}/metrics").text
        assert proxy.get("/api/exchanges")["total"] == 10
        assert {data["count"] for data in refused(proxy)} == {1}
        proxy.stop()
        proxy.start()
        told = refused(proxy)
        assert sum(data["count"] for data in told) == 23  # what waited for its minute was told at the end
        assert {(data["code"], data["scope"], data["unit"]) for data in told} == {
            ("rate_limit_exceeded", "all requests", "requests")
        }
        assert proxy.get("/api/rate-limit")["current_rpm"] == 10  # a restart gives nobody new places
        assert post(proxy).status_code == 429


def test_named_keys_have_limits_and_their_names_are_shown(mock: MockProcess) -> None:
    config = config_for(mock.base_url, section("enforce", 0) + KEYS)
    with ProxyProcess(config.replace("allow_any_model", "max_rpm = 6\nallow_any_model")) as proxy:
        assert post(proxy, "nobody").status_code == 401
        assert [post(proxy, "alice-key-0001").status_code for _ in range(3)] == [200, 200, 429]
        assert [post(proxy, "bob-key-0002").status_code for _ in range(3)] == [200] * 3
        assert [limit["name"] for limit in proxy.get("/api/rate-limit")["limits"]] == ["provider mock", "key alice"]
        events = proxy.get("/api/events", type="ExchangeStarted")["events"]
        assert sorted(event["by"] for event in events) == ["alice"] * 2 + ["bob"] * 3
        started = proxy.get(f"/api/events/{events[0]['position']}")["data"]
        assert started["key"] == "bob"
        assert [data["scope"] for data in refused(proxy)] == ["key alice"]
        assert [post(proxy, "bob-key-0002").status_code for _ in range(2)] == [200, 429]
        shown = json.dumps(proxy.get("/api/settings"))
        assert "keys.alice.has_key" in shown and "alice-key" not in shown


async def test_a_client_that_leaves_the_queue_is_not_waited_for(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url, section("wait", 1, 60_000))) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url, timeout=20) as client:
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
            tasks = [
                asyncio.get_running_loop().create_task(client.post("/v1/chat/completions", json=CHAT)) for _ in range(3)
            ]

            async def waiting(count: int) -> None:
                async with asyncio.timeout(5):
                    while (await client.get("/api/rate-limit")).json()["waiting"] != count:
                        await asyncio.sleep(0.02)

            await waiting(3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await waiting(0)
        assert proxy.get("/api/exchanges")["total"] == 1
