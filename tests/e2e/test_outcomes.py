"""What is recorded of answers that came to their end: the client's bytes stay as they came, whatever they were."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ProxyProcess, plan

BODY: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "some words to answer"}]}
CHUNK = '{"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}'
STOP = CHUNK.replace("null", '"stop"')
WORD, TIMES = "word ", 4_000_000  # longer than what is kept of an answer


@pytest.fixture
def client(proxy: ProxyProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=60) as found:
        yield found


def exchanged(client: httpx.Client, proxy: ProxyProcess, how: dict[str, str], *, stream: bool) -> tuple[bytes, Any]:
    """The client's bytes, and the record."""
    answer = client.post("/v1/chat/completions", json={**BODY, "stream": stream}, headers=how)
    return answer.content, proxy.finished(answer.headers["x-exchange-id"])


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (plan(status=302, body={}, headers={"Location": "/elsewhere"}), "http_302"),
        (plan(status=300, body=None), "http_300"),
        (plan(body="<html>no model here</html>"), "upstream_invalid"),
        (plan(body={"hello": "there"}), "upstream_invalid"),
        (plan(body={"error": {"message": "full", "code": 503, "type": "Overloaded!"}}), "overloaded"),
        (plan(body={"error": "full"}), "upstream_error"),
    ],
)
def test_what_is_no_completion_has_not_completed(
    client: httpx.Client, proxy: ProxyProcess, how: dict[str, str], code: str
) -> None:
    _, exchange = exchanged(client, proxy, how, stream=False)
    assert (exchange["outcome"], exchange["error"]["code"], exchange["usage"]["source"]) == ("failed", code, "none")
    assert exchange["usage"]["prompt_tokens"] == 0


@pytest.mark.parametrize(
    ("text", "outcome", "code"),
    [
        (f"data: {CHUNK}\n\n", "failed", "upstream_invalid"),
        (f'data: {CHUNK}\n\ndata: {{"error":{{"message":"m","code":"context_length_exceeded"}}}}\n\n', "failed",
         "context_length_exceeded"),
        (f'data: {CHUNK}\n\ndata: {{"error":{{"message":"m"}}}}\n\ndata: [DONE]\n\n', "failed", "upstream_error"),
        (": nothing\n\n", "failed", "upstream_invalid"),
        (f"data: {CHUNK}\n\ndata: [DONE]\n\n", "completed", None),
        (f"data: {STOP}\n\n", "completed", None),
    ],
)  # fmt: skip
def test_how_a_stream_has_ended(
    client: httpx.Client, proxy: ProxyProcess, text: str, outcome: str, code: str | None
) -> None:
    got, exchange = exchanged(client, proxy, plan(raw_sse=text), stream=True)
    assert got.decode() == text
    assert (exchange["outcome"], exchange["error"] and exchange["error"]["code"]) == (outcome, code)


@pytest.mark.parametrize("how", [plan(body="<html></html>"), plan(raw_sse=f"data: {CHUNK}\n\n")])
def test_the_same_request_after_such_an_answer_is_a_retry(
    client: httpx.Client, proxy: ProxyProcess, how: dict[str, str]
) -> None:
    body = {**BODY, "messages": [{"role": "user", "content": f"asked again after {how['x-mock']}"}]}
    first, second = (client.post("/v1/chat/completions", json=body, headers=each) for each in (how, {}))
    assert proxy.finished(first.headers["x-exchange-id"])["outcome"] == "failed"
    assert second.headers["x-session-id"] == first.headers["x-session-id"]
    assert proxy.finished(second.headers["x-exchange-id"])["resolution"]["branch"] == "retry"


def test_an_upstreams_own_code_is_kept(client: httpx.Client, proxy: ProxyProcess) -> None:
    error = {
        "error": {"message": "This is too much.", "type": "invalid_request_error", "code": "context_length_exceeded"}
    }
    _, exchange = exchanged(client, proxy, plan(status=400, body=error), stream=False)
    assert exchange["error"] == {"code": "http_400", "message": "This is too much. (context_length_exceeded)"}


@pytest.mark.parametrize("stream", [False, True])
def test_usage_behind_an_answer_that_is_too_long_to_be_kept(
    client: httpx.Client, proxy: ProxyProcess, stream: bool
) -> None:
    how = plan(text=WORD, repeat=TIMES, chunks=1, usage="last_content")
    got, exchange = exchanged(client, proxy, how, stream=stream)
    assert len(got) > len(WORD) * TIMES
    usage = exchange["usage"]
    assert (exchange["outcome"], usage["source"], usage["completion_tokens"]) == ("completed", "measured", 7)
    assert (usage["prompt_tokens"], exchange["finish_reason"]) == (11, "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_of_such_an_answer_are_estimated_by_its_size(
    client: httpx.Client, proxy: ProxyProcess, stream: bool
) -> None:
    _, exchange = exchanged(client, proxy, plan(text=WORD, repeat=TIMES, chunks=1, usage="none"), stream=stream)
    usage = exchange["usage"]
    assert (exchange["outcome"], usage["source"]) == ("completed", "estimated")
    assert 1_000_000 < usage["completion_tokens"] < 20_000_000
