"""What two hundred requests at once used: a third of them broken off or failing, some repeated, none counted twice."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from context.tokens import SplintrCounter
from tests.e2e.processes import MockProcess, ProxyProcess, plan

COUNT = 200
_TEXT = "one two three four five six seven eight nine ten " * 4
_BOUND = 0.1  # of the prompt's tokens, for what we counted ourselves
_CONFIG = """
[prices]
file = "prices.toml"

[providers.mock]
base_url = "{base_url}"

[models.mock]
provider = "mock"
model = "mock-model"
"""
_PRICES = '[[prices]]\nmodel = "mock-model"\ninput = 1.5\noutput = 6\ncache_read = 0.15\n'


def _usage(number: int) -> dict[str, Any]:
    cached = {"cached_tokens": number}
    return {"prompt_tokens": 1_000 + number, "completion_tokens": 10 + number, "prompt_tokens_details": cached}


def _micros(number: int) -> int:
    """1.5 and 6 USD for a million, 0.15 for those from the cache; half a micro-dollar is rounded up."""
    return (1_000 * 1_500_000 + number * 150_000 + (10 + number) * 6_000_000 + 500_000) // 1_000_000


def _json(number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"answer {number}"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": _usage(number)}


def _sse(number: int) -> str:
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": f"answer {number}"}}]},
        {"choices": [], "usage": _usage(number)},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def _plan(number: int) -> dict[str, str]:
    match number % 6:
        case 0 | 1:
            return plan(body=_json(number), delay_ms=number % 7)
        case 2:
            return plan(raw_sse=_sse(number))
        case 3:
            return plan(text=_TEXT, stall="mid_stream")
        case 4:
            return plan(status=503, body={"error": {"message": "busy"}})
        case _:
            return plan(body=_json(number), fin_on_reuse=True)


async def _ask(client: httpx.AsyncClient, number: int) -> None:
    kind = number % 6
    body = {
        "model": "mock",
        "stream": kind in (2, 3),
        "messages": [{"role": "user", "content": f"question {number}: {_TEXT}"}],
    }
    request = client.build_request("POST", "/v1/chat/completions", json=body, headers=_plan(number))
    answer = await client.send(request, stream=True)
    try:
        if kind == 3:
            async for _ in answer.aiter_bytes():
                break  # and leave
        else:
            await answer.aread()
    finally:
        await answer.aclose()


async def _ask_all(url: str) -> None:
    limits = httpx.Limits(max_connections=COUNT)
    client = httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False)
    async with client, asyncio.TaskGroup() as group:
        for number in range(COUNT):
            group.create_task(_ask(client, number))


@pytest.fixture(scope="module")
def proxy() -> Iterator[ProxyProcess]:
    mock = MockProcess()
    process = ProxyProcess(_CONFIG.format(base_url=mock.base_url))
    (process.directory / "prices.toml").write_text(_PRICES)
    with process:
        asyncio.run(_ask_all(process.url))
        for exchange in process.get("/api/exchanges", outcome="running", limit=COUNT)["exchanges"]:
            process.finished(exchange["id"], timeout_s=60)
        yield process
    mock.close()


def test_what_was_completed_equals_the_provider_to_the_token(proxy: ProxyProcess) -> None:
    whole = [number for number in range(COUNT) if number % 6 in (0, 1, 2, 5)]
    measured = proxy.get("/api/usage")["totals"]["sources"]["measured"]
    assert measured["exchanges"] == len(whole)
    assert measured["input_tokens"] == sum(1_000 + number for number in whole)
    assert measured["output_tokens"] == sum(10 + number for number in whole)
    assert measured["cache_read_tokens"] == sum(whole)
    assert round(measured["cost_usd"] * 1_000_000) == sum(map(_micros, whole))


def test_what_was_broken_off_is_estimated_within_a_bound(proxy: ProxyProcess) -> None:
    left = proxy.get("/api/exchanges", outcome="cancelled", limit=COUNT)["exchanges"]
    assert len(left) == sum(number % 6 == 3 for number in range(COUNT))
    count = SplintrCounter()
    for exchange in left:
        usage = exchange["usage"]
        assert usage["source"] == "estimated"
        prompt = count(f"question 100: {_TEXT}")
        assert abs(usage["prompt_tokens"] - prompt) <= max(8, _BOUND * prompt)
        assert 0 <= usage["completion_tokens"] <= count(_TEXT)
        assert exchange["cost_usd"] == pytest.approx(
            (usage["prompt_tokens"] * 1.5 + usage["completion_tokens"] * 6) / 1e6, abs=5.1e-7
        )


def test_nothing_is_counted_twice_and_nothing_is_lost(proxy: ProxyProcess) -> None:
    totals = proxy.get("/api/usage")["totals"]
    failing = sum(number % 6 == 4 for number in range(COUNT))
    assert (totals["exchanges"], totals["failed"], totals["unknown"]) == (COUNT, failing, failing)
    assert (totals["unpriced"], totals["interrupted"]) == (0, 0)
    assert totals["attempts"] >= COUNT
    listed = proxy.get("/api/exchanges", limit=COUNT)["exchanges"]
    assert totals["attempts"] == sum(each["attempts"] for each in listed)
    assert round(totals["cost_usd"] * 1e6) == sum(round(each["cost_usd"] * 1e6) for each in listed if each["cost_usd"])
    for grouping in ("day", "model", "provider", "session", "client_family"):
        groups = proxy.get("/api/usage", group_by=grouping, limit=1_000)["groups"]
        assert sum(each["exchanges"] for each in groups) == COUNT
        assert sum(round((each["cost_usd"] or 0) * 1e6) for each in groups) == round(totals["cost_usd"] * 1e6)


def test_the_read_tables_made_anew_say_the_same(proxy: ProxyProcess) -> None:
    before = proxy.get("/api/usage", group_by="session", limit=1_000)
    rebuilt = httpx.post(f"{proxy.url}/api/projections/rebuild", json={"wait": True}, timeout=60).json()
    assert rebuilt["equal"]
    assert proxy.get("/api/usage", group_by="session", limit=1_000) == before
