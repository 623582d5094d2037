"""A provider that fails is asked again, and then another one: before anything went to the client, and never after."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from proxy.contents import SessionContents
from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import ProxyProcess
from tests.servers.mock_provider import MockProvider, Plan, Seen

CONFIG = """
default_model = "stubborn"

[providers.first]
base_url = "http://127.0.0.1:{first}/v1"
api_key = "key-of-first"
retry = {{ attempts = 3, backoff_ms = 1, max_wait_ms = 300 }}

[providers.second]
base_url = "http://127.0.0.1:{second}/v1"
api_key = "key-of-second"
include_usage = false

[providers.nowhere]
base_url = "http://127.0.0.1:1/v1"

[providers.slow]
base_url = "http://127.0.0.1:{first}/v1"
retry = {{ attempts = 2, backoff_ms = 60000, max_wait_ms = 60000 }}

[models.stubborn]
provider = "first"
model = "first-model"

[models.pair]
provider = "first"
model = "first-model"
fallback = ["spare", "last"]

[models.spare]
provider = "second"
model = "second-model"
max_context_size = 3000

[models.last]
provider = "second"
model = "second-model-2"

[models.lost]
provider = "nowhere"
fallback = ["spare"]

[models.patient]
provider = "slow"
"""
DOWN = Plan(status=503, body={"error": {"message": "overloaded"}})


class Scripted(MockProvider):
    """Answers by one plan after the other, and then well."""

    def __init__(self) -> None:
        super().__init__()
        self.script: list[Plan] = []

    async def _answer(self, plan: Plan, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        return await super()._answer(self.script.pop(0) if self.script else plan, seen, reader, writer)

    def bodies(self) -> list[Any]:
        return [json.loads(seen.body) for seen in self.seen]


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    found = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            found.append(int(free.getsockname()[1]))
    return found[0], found[1]


@pytest.fixture(scope="module")
def proxy(ports: tuple[int, int]) -> Iterator[ProxyProcess]:
    with ProxyProcess(CONFIG.format(first=ports[0], second=ports[1])) as process:
        yield process


@pytest.fixture
async def first(ports: tuple[int, int]) -> AsyncIterator[Scripted]:
    provider = Scripted()
    await provider.listen(ports[0])
    yield provider
    await provider.aclose()


@pytest.fixture
async def second(ports: tuple[int, int]) -> AsyncIterator[Scripted]:
    provider = Scripted()
    await provider.listen(ports[1])
    yield provider
    await provider.aclose()


async def ask(proxy: ProxyProcess, model: str, *, stream: bool = False, text: str = "hello") -> httpx.Response:
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{proxy.url}/v1/chat/completions", json=body)


def recorded(proxy: ProxyProcess, answer: httpx.Response) -> Any:
    return proxy.finished(answer.headers["x-exchange-id"])


async def test_a_provider_that_fails_is_asked_again(proxy: ProxyProcess, first: Scripted) -> None:
    first.script = [DOWN, Plan(cut="before_headers")]
    answer = await ask(proxy, "stubborn")
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "echo: hello")
    assert len(first.seen) == 3
    assert len({seen.body for seen in first.seen}) == 1
    exchange = recorded(proxy, answer)
    assert (exchange["outcome"], exchange["attempts"], exchange["usage"]["prompt_tokens"]) == ("completed", 3, 11)
    assert [(each["http_status"], each["error_code"]) for each in exchange["tries"]] == [
        (503, None),
        (None, "upstream_unreachable"),
        (200, None),
    ]
    assert all(each["duration_ms"] > 0 for each in exchange["tries"])
    assert proxy.get("/api/exchanges", model="first-model")["exchanges"][0]["tries"] == exchange["tries"]


async def test_the_last_failure_is_the_answer(proxy: ProxyProcess, first: Scripted) -> None:
    first.script = [DOWN, DOWN, Plan(status=500, body={"error": {"message": "third"}})]
    answer = await ask(proxy, "stubborn")
    assert (answer.status_code, answer.json()) == (500, {"error": {"message": "third"}})
    exchange = recorded(proxy, answer)
    assert (exchange["outcome"], exchange["http_status"], len(exchange["tries"])) == ("failed", 500, 3)
    assert exchange["usage"]["source"] == "none"


async def test_what_is_the_requests_fault_is_not_asked_again(proxy: ProxyProcess, first: Scripted) -> None:
    first.script = [Plan(status=400, body={"error": {"message": "no"}})]
    assert (await ask(proxy, "pair")).status_code == 400
    assert len(first.seen) == 1


async def test_retry_after_is_honoured_within_bounds(proxy: ProxyProcess, first: Scripted) -> None:
    first.script = [Plan(status=429, headers={"Retry-After-Ms": "200"}), Plan(status=429, headers={"Retry-After": "9"})]
    answer = await ask(proxy, "stubborn")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert [each["waited_ms"] for each in recorded(proxy, answer)["tries"]] == [None, 200]


async def test_another_provider_gets_its_own_model_and_key(
    proxy: ProxyProcess, first: Scripted, second: Scripted
) -> None:
    first.script = [DOWN] * 3
    answer = await ask(proxy, "pair", stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    sent, again = first.bodies()[-1], second.bodies()[-1]
    assert (sent.pop("model"), again.pop("model")) == ("first-model", "second-model")
    assert sent.pop("stream_options") == {"include_usage": True}  # what the other provider is not to be asked for
    assert sent == again
    keys = [dict(provider.seen[-1].headers)["authorization"] for provider in (first, second)]
    assert keys == ["Bearer key-of-first", "Bearer key-of-second"]
    exchange = recorded(proxy, answer)
    assert (exchange["provider"], exchange["model_sent"]) == ("second", "second-model")
    assert [each["provider"] for each in exchange["tries"]] == ["first"] * 3 + ["second"]
    began = proxy.get(f"/api/exchanges/{exchange['id']}", at=exchange["positions"]["started"])
    assert (began["provider"], began["model_sent"], began["tries"]) == ("first", "first-model", [])
    assert 'model="second-model",outcome="completed",provider="second"} 1.0' in httpx.get(f"{proxy.url}/metrics").text


async def test_what_was_recorded_is_what_was_sent_last(proxy: ProxyProcess, first: Scripted, second: Scripted) -> None:
    first.script = [DOWN] * 3
    answer = await ask(proxy, "pair", text="recorded as it was sent")
    exchange = recorded(proxy, answer)
    keys = KeyStore(proxy.data / "keys.sqlite")
    log = EventLog(proxy.data / "events.sqlite", keys, read_only=True)
    try:
        contents = SessionContents(log, exchange["session_id"])
        assert contents.sent(exchange["id"]) == second.seen[-1].body
        before = SessionContents(log, exchange["session_id"], upto=exchange["positions"]["started"])
        assert before.sent(exchange["id"]) == first.seen[-1].body
    finally:
        log.close()
        keys.close()


async def test_a_provider_that_cannot_be_reached(proxy: ProxyProcess, second: Scripted) -> None:
    answer = await ask(proxy, "lost")
    assert answer.status_code == 200
    exchange = recorded(proxy, answer)
    assert [each["error_code"] for each in exchange["tries"]] == ["upstream_unreachable", None]


async def test_a_window_that_is_too_small_is_passed_over(
    proxy: ProxyProcess, first: Scripted, second: Scripted
) -> None:
    first.script = [DOWN] * 3
    answer = await ask(proxy, "pair", text="many words " * 3_000)
    assert (answer.status_code, second.bodies()[-1]["model"]) == (200, "second-model-2")


async def test_a_stream_that_breaks_before_its_first_byte_is_asked_for_again(
    proxy: ProxyProcess, first: Scripted
) -> None:
    first.script = [Plan(cut="before_body")]
    answer = await ask(proxy, "stubborn", stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert [each["error_code"] for each in recorded(proxy, answer)["tries"]] == ["upstream_invalid", None]


async def test_after_the_first_byte_nothing_is_asked_again(
    proxy: ProxyProcess, first: Scripted, second: Scripted
) -> None:
    first.script = [Plan(cut="boundary")]
    answer = await ask(proxy, "pair", stream=True)
    assert (answer.status_code, "[DONE]" in answer.text) == (200, False)
    assert (len(first.seen), len(second.seen)) == (1, 0)
    exchange = recorded(proxy, answer)
    assert (exchange["outcome"], exchange["tries"]) == ("failed", [])


async def test_a_client_that_leaves_ends_it(proxy: ProxyProcess, first: Scripted) -> None:
    first.script = [DOWN]
    task = asyncio.get_running_loop().create_task(ask(proxy, "patient"))
    await first.until(lambda: len(first.seen) == 1)
    total = proxy.get("/api/exchanges")["total"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (exchange,) = proxy.get("/api/exchanges", limit=1)["exchanges"]
    ended = proxy.finished(exchange["id"])
    assert (ended["outcome"], ended["usage"]["source"]) == ("cancelled", "none")
    assert (len(first.seen), proxy.get("/api/exchanges")["total"]) == (1, total)


async def test_the_log_says_it_all(proxy: ProxyProcess, first: Scripted, second: Scripted) -> None:
    first.script = [DOWN] * 3
    exchange = recorded(proxy, await ask(proxy, "pair"))
    event = proxy.get(f"/api/events/{exchange['positions']['finished']}")
    assert "second/second-model" in event["summary"] and "4 tries" in event["summary"]
    assert event["data"]["sent_last"]["provider"] == "second"
    changed = {change["field"]: change["after"] for change in event["changes"]}
    assert (changed["provider"], len(changed["tries"])) == ("second", 4)


async def test_a_connection_that_was_closed_meanwhile_is_a_call_too(proxy: ProxyProcess, first: Scripted) -> None:
    await ask(proxy, "stubborn")
    cut = Plan(cut="before_headers")
    first.script = [cut]
    exchange = recorded(proxy, await ask(proxy, "stubborn"))
    tries = [(each["http_status"], each["error_code"]) for each in exchange["tries"]]
    assert (exchange["attempts"], tries) == (2, [(None, "upstream_unreachable"), (200, None)])
    first.script = [cut, cut, cut]
    exchange = recorded(proxy, await ask(proxy, "stubborn"))
    tries = [(each["http_status"], each["error_code"]) for each in exchange["tries"]]
    assert (exchange["attempts"], tries) == (4, [(None, "upstream_unreachable")] * 3 + [(200, None)])


async def test_the_same_of_a_provider_that_is_asked_once(ports: tuple[int, int], second: Scripted) -> None:
    with ProxyProcess(PRICED.format(first=ports[0], second=ports[1])) as proxy:
        await ask(proxy, "fair")
        second.script = [Plan(cut="before_headers")]
        exchange = recorded(proxy, await ask(proxy, "fair"))
        assert (exchange["attempts"], len(exchange["tries"]), exchange["outcome"]) == (2, 2, "completed")
        second.script = [Plan(cut="before_headers")] * 2
        exchange = recorded(proxy, await ask(proxy, "fair"))
        codes = [each["error_code"] for each in exchange["tries"]]
        assert (exchange["attempts"], codes) == (2, ["upstream_unreachable"] * 2)
        metrics = httpx.get(f"{proxy.url}/metrics").text
        assert 'chronoproxy_upstream_attempts_total{provider="second"} 5.0' in metrics


PRICED = """
[budgets]
day = {{ usd = 1.0 }}
unpriced = "refuse"

[providers.first]
base_url = "http://127.0.0.1:{first}/v1"

[providers.second]
base_url = "http://127.0.0.1:{second}/v1"

[models.cheap]
provider = "first"
price = {{ input = 1.0, output = 1.0 }}
max_output_tokens = 1000
fallback = ["unpriced", "dear", "fair"]

[models.unpriced]
provider = "second"

[models.dear]
provider = "second"
price = {{ input = 1000.0, output = 1000.0 }}
max_output_tokens = 1000

[models.fair]
provider = "second"
price = {{ input = 100.0, output = 100.0 }}
max_output_tokens = 1000
"""


async def test_what_a_budget_refuses_is_passed_over(ports: tuple[int, int], first: Scripted, second: Scripted) -> None:
    first.script = [DOWN, DOWN]
    with ProxyProcess(PRICED.format(first=ports[0], second=ports[1])) as proxy:
        answer = await ask(proxy, "cheap")
        assert (answer.status_code, [body["model"] for body in second.bodies()]) == (200, ["fair"])
        exchange = recorded(proxy, answer)
        assert [each["model"] for each in exchange["tries"]] == ["cheap", "fair"]
        (budget,) = proxy.get("/api/budgets")["budgets"]
        assert (budget["usd"]["used"], budget["usd"]["reserved"]) == (exchange["cost_usd"], 0)
