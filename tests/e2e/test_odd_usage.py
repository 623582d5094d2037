"""Usage that makes no sense, as providers write it: what is recorded, what budgets settle, and what goes on working."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for

CONFIG = """
[budgets]
session = { tokens = 1000000 }

[models.dear]
provider = "mock"
price = { input = 1000000.0, output = 1000000.0 }
"""


@pytest.fixture(scope="module")
def proxy(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url, CONFIG)) as process:
        yield process


def exchange(proxy: ProxyProcess, usage: dict[str, Any], session: str) -> Any:
    answer = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "five words of an answer"}}],
        "usage": usage,
    }
    headers = {"x-mock": json.dumps({"body": answer}), "X-Session-Id": session}
    body = {"model": "dear", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
    found = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)
    assert found.status_code == 200, found.text
    return proxy.finished(found.headers["x-exchange-id"])


@pytest.mark.parametrize(
    ("usage", "source", "counts"),
    [
        ({"prompt_tokens": 100.0, "completion_tokens": 10.0, "total_tokens": 110.0}, "measured", (100, 10)),
        ({"prompt_tokens": "100", "completion_tokens": "10"}, "measured", (100, 10)),
        ({"prompt_tokens": -5, "completion_tokens": True, "total_tokens": 10**30}, "estimated", None),
        ({"prompt_tokens": 2**53 - 1, "completion_tokens": 2**53 - 1}, "estimated", None),
        ({"total_tokens": 500}, "estimated", None),
    ],
)
def test_the_exchange_and_the_budget_say_the_same(
    proxy: ProxyProcess, usage: dict[str, Any], source: str, counts: tuple[int, int] | None
) -> None:
    found = exchange(proxy, usage, json.dumps(usage))
    told = found["usage"]
    assert told["source"] == source
    if counts is not None:
        assert (told["prompt_tokens"], told["completion_tokens"]) == counts
    assert told["prompt_tokens"] > 0 < told["completion_tokens"]
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"]
    (budget,) = proxy.get("/api/budgets", session_id=found["session_id"])["budgets"]
    assert budget["tokens"]["used"] == told["total_tokens"]
    assert found["cost_usd"] == told["total_tokens"]
    assert httpx.get(f"{proxy.url}/metrics").status_code == 200
