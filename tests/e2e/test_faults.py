"""Upstream faults and clients that leave: each exchange ends exactly once, with the right outcome."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

BODY: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "some words to answer"}]}
STREAM = {**BODY, "stream": True}


@pytest.fixture
def client(proxy: ProxyProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=20) as found:
        yield found


def events_of(proxy: ProxyProcess, exchange_id: int | str) -> list[str]:
    """The types of all events of one exchange."""
    events = proxy.get("/api/events", limit=1000)["events"]
    about = f"exchange {exchange_id} "
    return sorted(event["type"] for event in events if event["summary"].startswith(about))


def ended(proxy: ProxyProcess, exchange_id: int | str, outcome: str) -> Any:
    """The exchange, after a check that it began once and ended once."""
    exchange = proxy.finished(exchange_id)
    assert exchange["outcome"] == outcome
    assert events_of(proxy, exchange_id) == sorted(["ExchangeStarted", f"Exchange{outcome.capitalize()}"])
    return exchange


def eventually(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 999])
@pytest.mark.parametrize("stream", [False, True])
def test_upstream_errors_come_through_as_they_are(
    client: httpx.Client, proxy: ProxyProcess, status: int, stream: bool
) -> None:
    error = {"error": {"message": "told by the upstream", "type": "x", "code": "y"}}
    headers = plan(status=status, body=error, headers={"Retry-After": "3", "X-RateLimit-Remaining": "0"})
    answer = client.post("/v1/chat/completions", json={**BODY, "stream": stream}, headers=headers)
    assert (answer.status_code, answer.json()) == (status, error)
    assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining"]) == ("3", "0")
    exchange = ended(proxy, answer.headers["x-exchange-id"], "failed")
    assert exchange["http_status"] == status
    assert exchange["error"] == {"code": f"http_{status}", "message": "told by the upstream"}
    assert exchange["usage"]["source"] == "none"


def test_an_upstream_that_cannot_be_reached(mock: MockProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ProxyProcess(config_for(f"http://127.0.0.1:{port}/v1")) as proxy:
        answer = httpx.post(f"{proxy.url}/chat/completions", json=BODY)
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_unreachable"
        assert answer.json()["error"]["type"] == "api_error"
        exchange = ended(proxy, answer.headers["x-exchange-id"], "failed")
        assert (exchange["error"]["code"], exchange["usage"]["source"]) == ("upstream_unreachable", "none")


def test_an_upstream_that_does_not_answer_in_time(client: httpx.Client, proxy: ProxyProcess) -> None:
    answer = client.post("/v1/chat/completions", json=BODY, headers=plan(stall="before_headers"))
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream_timeout"
    ended(proxy, answer.headers["x-exchange-id"], "failed")


def test_a_stream_that_stalls_ends_with_an_error_event_at_an_event_boundary(
    client: httpx.Client, proxy: ProxyProcess
) -> None:
    answer = client.post("/v1/chat/completions", json=STREAM, headers=plan(stall="mid_stream"))
    last = answer.text.rstrip("\n").rpartition("\n\n")[2]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_timeout"
    assert "[DONE]" not in answer.text
    exchange = ended(proxy, answer.headers["x-exchange-id"], "failed")
    assert exchange["usage"]["source"] == "estimated"
    assert exchange["usage"]["prompt_tokens"] > 0


def test_a_stream_cut_between_events(client: httpx.Client, proxy: ProxyProcess) -> None:
    answer = client.post("/v1/chat/completions", json=STREAM, headers=plan(cut="boundary"))
    assert '"upstream_invalid"' in answer.text
    assert "[DONE]" not in answer.text
    ended(proxy, answer.headers["x-exchange-id"], "failed")


SHOWN = {**STREAM, "stream_options": {"include_usage": True}}  # nothing is held back


@pytest.mark.parametrize("body", [BODY, SHOWN])
def test_an_answer_cut_inside_breaks_the_connection_rather_than_seem_whole(
    client: httpx.Client, proxy: ProxyProcess, body: dict[str, Any]
) -> None:
    with (
        client.stream("POST", "/v1/chat/completions", json=body, headers=plan(cut="mid_event")) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        answer.read()
    ended(proxy, answer.headers["x-exchange-id"], "failed")
    assert client.get("/health").status_code == 200


def test_a_connection_that_ends_without_an_answer(client: httpx.Client, proxy: ProxyProcess, mock: MockProcess) -> None:
    answer = client.post("/v1/chat/completions", json=BODY, headers=plan(cut="before_headers"))
    assert answer.status_code == 502
    ended(proxy, answer.headers["x-exchange-id"], "failed")


def test_a_stale_reused_connection_is_tried_once_more(client: httpx.Client, proxy: ProxyProcess) -> None:
    assert client.post("/v1/chat/completions", json=BODY).status_code == 200  # leaves a connection to reuse
    answer = client.post("/v1/chat/completions", json=BODY, headers=plan(fin_on_reuse=True))
    assert answer.status_code == 200
    assert ended(proxy, answer.headers["x-exchange-id"], "completed")["attempts"] == 2


def test_gzip_goes_through_untouched_and_is_still_measured(client: httpx.Client, proxy: ProxyProcess) -> None:
    for body in (BODY, STREAM):
        answer = client.post("/v1/chat/completions", json=body, headers=plan(gzip=True))
        assert answer.headers["content-encoding"] == "gzip"
        assert "echo: " in answer.text
        assert ended(proxy, answer.headers["x-exchange-id"], "completed")["usage"]["source"] == "measured"


@pytest.mark.parametrize("usage", ["every", "choices", "null_every", "last_content", "asked"])
@pytest.mark.parametrize("shape", [{}, {"crlf": True}, {"split_bytes": 1}, {"split_bytes": 7, "crlf": True}])
def test_usage_is_found_in_every_dialect(
    client: httpx.Client, proxy: ProxyProcess, usage: str, shape: dict[str, Any]
) -> None:
    answer = client.post("/v1/chat/completions", json=STREAM, headers=plan(usage=usage, **shape))
    assert answer.text.rstrip().endswith("data: [DONE]")
    assert ended(proxy, answer.headers["x-exchange-id"], "completed")["usage"]["source"] == "measured"


def test_a_stream_passes_byte_for_byte(client: httpx.Client) -> None:
    raw = 'data: {"choices":[{"delta":{"content":"h\u00e9\U0001f600"}}],"usage":null}\r\n\r\n: ping\n\ndata: [DONE]\n\n'
    answer = client.post(
        "/v1/chat/completions",
        json={**STREAM, "stream_options": {"include_usage": True}},
        headers=plan(raw_sse=raw, split_bytes=3),
    )
    assert answer.content == raw.encode()


def leave(proxy: ProxyProcess, body: dict[str, Any], how: dict[str, str], *, after: bytes | None) -> None:
    """Send a request on a socket of our own and close it, after `after` has been read."""
    address = httpx.URL(proxy.url)
    content = json.dumps(body).encode()
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {address.host}:{address.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in how.items()),
    ]
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + content)
        received = b""
        while after is not None and after not in received:
            received += connection.recv(4096)


def newest(proxy: ProxyProcess) -> int:
    """The last exchange that the log knows of."""
    listed = proxy.get("/api/exchanges", limit=1)["exchanges"]
    return int(listed[0]["id"]) if listed else 0


@pytest.mark.parametrize("body", [BODY, STREAM])
def test_a_client_that_leaves_before_the_answer_closes_the_upstream(
    proxy: ProxyProcess, mock: MockProcess, body: dict[str, Any]
) -> None:
    requests, closed = mock.report("_requests")["count"], len(mock.report("_closed"))
    before, content = newest(proxy), json.dumps(body).encode()
    address = httpx.URL(proxy.url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            f"x-mock: {plan(stall='before_headers')['x-mock']}\r\n\r\n".encode()
            + content
        )
        eventually(lambda: mock.report("_requests")["count"] > requests)
    eventually(lambda: len(mock.report("_closed")) > closed, 2.0)
    eventually(lambda: newest(proxy) > before)  # it may not be in the log yet
    exchange = ended(proxy, newest(proxy), "cancelled")
    assert exchange["usage"]["source"] == "estimated"


def test_a_client_that_leaves_in_mid_stream_closes_the_upstream(proxy: ProxyProcess, mock: MockProcess) -> None:
    closed, before = len(mock.report("_closed")), newest(proxy)
    leave(proxy, STREAM, plan(stall="mid_stream"), after=b"echo")
    eventually(lambda: len(mock.report("_closed")) > closed, 2.0)
    eventually(lambda: newest(proxy) > before)
    ended(proxy, newest(proxy), "cancelled")


def test_half_a_request_writes_nothing(proxy: ProxyProcess) -> None:
    head = proxy.get("/api/events", limit=1)["head"]
    address = httpx.URL(proxy.url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
    assert proxy.get("/api/events", limit=1)["head"] == head


BAD: list[tuple[Any, dict[str, str], int, str | None]] = [
    (b"{", {}, 400, None),
    (b"[]", {}, 400, None),
    (b"", {}, 400, "messages"),
    (b"", {"content-type": "text/plain"}, 400, "messages"),
    (b'{"messages":[]}', {}, 400, "messages"),
    (b'{"messages":"x"}', {}, 400, "messages"),
    (b'{"messages":[{"role":1}]}', {}, 400, "messages[0].role"),
    (b'{"messages":[5]}', {}, 400, "messages[0]"),
    (b'{"messages":[{"role":"user"}],"stream":"yes"}', {}, 400, "stream"),
    (b'{"messages":[{"role":"user"}],"model":7}', {}, 400, "model"),
    (b'{"messages":[{"role":"user"}],"x":NaN}', {}, 400, None),
    (b'{"messages":[{"role":"user","content":"\xff"}]}', {}, 400, None),
    (b"[" * 100_000, {}, 400, None),
    (b'{"messages":[{"role":"user"}],"model":"nope"}', {}, 404, "model"),
    (b"{}", {"content-type": "text/plain"}, 415, None),
    (b"{}", {"content-encoding": "br"}, 415, None),
]


@pytest.mark.parametrize(("body", "headers", "status", "param"), BAD)
def test_bad_requests_are_refused_in_openai_shape_and_write_nothing(
    client: httpx.Client, proxy: ProxyProcess, body: bytes, headers: dict[str, str], status: int, param: str | None
) -> None:
    head = proxy.get("/api/events", limit=1)["head"]
    answer = client.post("/chat/completions", content=body, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert answer.headers["x-request-id"]
    assert proxy.get("/api/events", limit=1)["head"] == head


def test_too_large(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url, "[server]\nmax_body_bytes = 2048\n")) as proxy:
        answer = httpx.post(f"{proxy.url}/v1/chat/completions", json={**BODY, "x": "y" * 3_000})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
        assert httpx.post(f"{proxy.url}/v1/chat/completions", json=BODY).status_code == 200
