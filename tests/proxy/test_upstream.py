"""The upstream client over real sockets: what goes through, what fails and how, and what is closed when."""

import asyncio
import gzip
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
import pytest

from proxy.aiohttp_upstream import AiohttpUpstream
from proxy.direct_upstream import DirectUpstream
from proxy.upstream import Upstream, UpstreamHeaders
from proxy.upstream_errors import UpstreamError
from tests.proxy.upstream_calls import BODY, STREAM, chat_url, request, whole
from tests.servers.mock_provider import MockProvider, Plan


@pytest.fixture
async def provider() -> AsyncIterator[MockProvider]:
    async with MockProvider() as mock:
        yield mock


@pytest.fixture(params=["direct", "aiohttp"])
async def upstream(request: pytest.FixtureRequest) -> AsyncIterator[Upstream]:
    """Both clients behind the seam."""
    aiohttp_client = AiohttpUpstream()
    client = DirectUpstream(aiohttp_client) if request.param == "direct" else aiohttp_client
    yield client
    await client.aclose()
    await aiohttp_client.aclose()


async def test_body_and_headers_arrive_as_given_and_nothing_is_added(
    upstream: Upstream, provider: MockProvider
) -> None:
    answer = await upstream.open(request(chat_url(provider)))
    assert (answer.status, answer.attempts) == (200, 1)
    assert json.loads(await whole(answer))["choices"][0]["message"]["content"] == "echo: hi"
    seen = provider.seen[0]
    assert seen.body == BODY
    names = {name for name, _ in seen.headers}
    assert names - {"connection"} == {"host", "content-length", "content-type", "accept-encoding", "x-mock"}


async def test_a_large_body_arrives_whole(upstream: Upstream, provider: MockProvider) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 2_000_000}]}).encode()
    await whole(await upstream.open(request(chat_url(provider), body=body)))
    assert provider.seen[0].body == body
    assert ("content-length", str(len(body))) in provider.seen[0].headers


async def test_answers_headers_keep_order_case_and_repeats(upstream: Upstream) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-One: a\r\nSet-Cookie: s=1\r\nx-ONE: b\xe9\r\nContent-Length: 2\r\n\r\nok"
    async with _answering(head) as url:
        for _ in range(2):
            answer = await upstream.open(request(url))
            assert answer.headers[:3] == [("X-One", "a"), ("Set-Cookie", "s=1"), ("x-ONE", "b\xe9")]
            assert await whole(answer) == b"ok"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;e=1\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nall until the end", b"all until the end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more that nobody asked for ok", b"ok"),
    ],
)
async def test_framings(raw: bytes, body: bytes) -> None:
    by_proxy = AiohttpUpstream()
    client = DirectUpstream(by_proxy)
    async with _answering(raw) as url:
        for _ in range(2):  # what is left on a connection must not become the next answer
            answer = await client.open(request(url))
            assert answer.status == 200
            assert {name for name, _ in answer.headers} <= {"Content-Length", "Transfer-Encoding"}
            assert await whole(answer) == body
        await client.aclose()
    await by_proxy.aclose()


async def test_a_read_answer_gives_its_connection_back(upstream: Upstream, provider: MockProvider) -> None:
    for body in (BODY, STREAM, BODY):
        await whole(await upstream.open(request(chat_url(provider), body=body)))
    assert [seen.connection for seen in provider.seen] == [1, 1, 1]


async def test_an_answer_closed_early_closes_its_connection(upstream: Upstream, provider: MockProvider) -> None:
    answer = await upstream.open(request(chat_url(provider), body=STREAM, plan=Plan(stall="mid_stream")))
    await anext(answer.chunks())
    await answer.aclose()
    await provider.until(lambda: provider.closed == [1])
    await answer.aclose()


async def test_a_gzipped_body_stays_as_it_is(upstream: Upstream, provider: MockProvider) -> None:
    answer = await upstream.open(request(chat_url(provider), plan=Plan(gzip=True)))
    assert dict(answer.headers)["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(await whole(answer)))["object"] == "chat.completion"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
async def test_every_status_is_an_answer_redirects_too(upstream: Upstream, provider: MockProvider, status: int) -> None:
    headers = {"Location": chat_url(provider), "Retry-After": "7"}
    answer = await upstream.open(request(chat_url(provider), plan=Plan(status=status, body={"e": 1}, headers=headers)))
    assert answer.status == status
    assert dict(answer.headers)["Retry-After"] == "7"
    assert await whole(answer) == b'{"e":1}'
    assert len(provider.seen) == 1


async def test_refused(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    error = await _failing(upstream, f"http://user:secret@127.0.0.1:{port}/v1?key=secret")
    assert (error.code, error.attempts) == ("upstream_unreachable", 1)
    assert "refused" in error.message
    assert "secret" not in error.message


async def test_an_unknown_host(upstream: Upstream) -> None:
    error = await _failing(upstream, "http://nowhere.invalid/v1")
    assert error.code == "upstream_unreachable"
    assert error.message == "http://nowhere.invalid: the host name cannot be resolved"


@pytest.mark.skipif(sys.platform != "linux", reason="a full backlog holds new connections back on Linux only")
async def test_connect_timeout(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        error = await _failing(upstream, f"http://127.0.0.1:{full.getsockname()[1]}/v1", connect_s=0.05)
        for each in waiting:
            each.close()
    assert (error.code, error.attempts) == ("upstream_timeout", 1)
    assert "connect timeout" in error.message


async def test_an_idle_connection_that_was_closed_is_no_trouble(upstream: Upstream, provider: MockProvider) -> None:
    await whole(await upstream.open(request(chat_url(provider), plan=Plan(close_after_answer=True))))
    await provider.until(lambda: provider.closed == [1])
    answer = await upstream.open(request(chat_url(provider)))
    assert answer.status == 200
    await whole(answer)


async def test_fin_on_a_reused_connection_is_tried_once_more_on_a_fresh_one(
    upstream: Upstream, provider: MockProvider
) -> None:
    await whole(await upstream.open(request(chat_url(provider))))
    answer = await upstream.open(request(chat_url(provider), plan=Plan(fin_on_reuse=True)))
    assert (answer.status, answer.attempts) == (200, 2)
    await whole(answer)
    assert [seen.connection for seen in provider.seen] == [1, 1, 2]


async def test_the_second_try_is_the_last(upstream: Upstream, provider: MockProvider) -> None:
    await whole(await upstream.open(request(chat_url(provider))))
    error = await _failing(upstream, chat_url(provider), plan=Plan(cut="before_headers"))
    assert (error.code, error.attempts) == ("upstream_unreachable", 2)
    assert [seen.connection for seen in provider.seen] == [1, 1, 2]


async def test_fin_on_a_fresh_connection_is_not_tried_again(upstream: Upstream, provider: MockProvider) -> None:
    error = await _failing(upstream, chat_url(provider), plan=Plan(cut="before_headers"))
    assert (error.code, error.attempts) == ("upstream_unreachable", 1)
    assert len(provider.seen) == 1


@pytest.mark.parametrize("begun", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/pl"])
async def test_a_head_that_began_is_not_tried_again(upstream: Upstream, begun: bytes) -> None:
    """The answer may have cost something: the provider has worked."""
    whole_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with _answering(whole_answer, begun) as url:
        await whole(await upstream.open(request(url)))
        error = await _failing(upstream, url)
    assert error.attempts == 1


async def test_what_is_not_http(upstream: Upstream) -> None:
    async with _answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as url:
        error = await _failing(upstream, url)
    assert (error.code, error.attempts) == ("upstream_invalid", 1)


async def test_a_status_below_all_of_http_is_no_answer(upstream: Upstream) -> None:
    async with _answering(b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\n{}") as url:
        error = await _failing(upstream, url)
    assert (error.code, error.attempts) == ("upstream_invalid", 1)


async def test_a_status_above_all_of_http_is_one(upstream: Upstream) -> None:
    async with _answering(b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n{}") as url:
        answer = await upstream.open(request(url))
        assert (answer.status, await whole(answer)) == (999, b"{}")


async def test_another_protocol_is_no_answer(upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    async with _answering(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhi") as url:
        error = await _failing(upstream, url)
    assert (error.code, error.attempts) == ("upstream_invalid", 1)
    assert "protocol" in error.message
    assert not caplog.records


@pytest.mark.parametrize(("body", "cut"), [(STREAM, "boundary"), (STREAM, "mid_event"), (BODY, "mid_event")])
async def test_a_cut_answer_gives_what_came_and_then_fails(
    upstream: Upstream, provider: MockProvider, body: bytes, cut: Literal["boundary", "mid_event"]
) -> None:
    answer = await upstream.open(request(chat_url(provider), body=body, plan=Plan(cut=cut)))
    got: list[bytes] = []
    with pytest.raises(UpstreamError) as caught:
        async for chunk in answer.chunks():
            got.append(chunk)
    await answer.aclose()
    assert b"".join(got).startswith(b"data: {" if body is STREAM else b"{")
    assert caught.value.code == "upstream_invalid"


async def test_silence_before_the_head_ends_at_the_read_timeout(upstream: Upstream, provider: MockProvider) -> None:
    error = await _failing(upstream, chat_url(provider), read_s=0.1, plan=Plan(stall="before_headers"))
    assert (error.code, error.attempts) == ("upstream_timeout", 1)
    await provider.until(lambda: provider.closed == [1])
    assert len(provider.seen) == 1


async def test_silence_in_the_stream_ends_at_the_read_timeout(upstream: Upstream, provider: MockProvider) -> None:
    answer = await upstream.open(request(chat_url(provider), body=STREAM, read_s=0.1, plan=Plan(stall="mid_stream")))
    with pytest.raises(UpstreamError) as caught:
        await whole(answer)
    assert caught.value.code == "upstream_timeout"
    await provider.until(lambda: provider.closed == [1])


async def test_the_read_timeout_is_between_bytes_not_in_all(upstream: Upstream, provider: MockProvider) -> None:
    slow = request(chat_url(provider), body=STREAM, read_s=2.0, plan=Plan(chunks=6, chunk_interval_ms=300))
    assert (await whole(await upstream.open(slow))).endswith(b"data: [DONE]\n\n")


async def test_cancelling_before_the_head_closes_the_connection(upstream: Upstream, provider: MockProvider) -> None:
    opening = asyncio.ensure_future(upstream.open(request(chat_url(provider), plan=Plan(stall="before_headers"))))
    await provider.until(lambda: len(provider.seen) == 1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await provider.until(lambda: provider.closed == [1])


async def test_cancelling_in_the_stream_closes_the_connection_even_without_aclose(
    upstream: Upstream, provider: MockProvider
) -> None:
    answer = await upstream.open(request(chat_url(provider), body=STREAM, plan=Plan(stall="mid_stream")))
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in answer.chunks():
            begun.set()

    reading = asyncio.ensure_future(read())
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await provider.until(lambda: provider.closed == [1])


async def test_a_reader_that_waits_holds_the_sender_back(upstream: Upstream) -> None:
    """Backpressure: what is not read stays with the provider and in the sockets, not in our memory."""
    sent = 0
    blocked = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while sent < 500:
            writer.write(b"x" * 1_000_000)
            sent += 1
            try:
                async with asyncio.timeout(0.5):
                    await writer.drain()
            except TimeoutError:
                break
        blocked.set()
        writer.transport.abort()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        answer = await upstream.open(request(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", read_s=60))
        await anext(answer.chunks())
        await blocked.wait()
        await answer.aclose()
    assert sent < 100  # megabytes; unbounded reading would take all 500


async def test_closing_the_client_ends_what_runs(provider: MockProvider) -> None:
    client = AiohttpUpstream()
    answer = await client.open(request(chat_url(provider), body=STREAM, plan=Plan(stall="mid_stream")))
    reading = asyncio.ensure_future(whole(answer))
    await client.aclose()
    with pytest.raises(UpstreamError):
        await reading
    await provider.until(lambda: provider.closed == [1])
    with pytest.raises(UpstreamError):
        await client.open(request(chat_url(provider)))


async def test_a_header_that_cannot_be_sent_is_said_so(upstream: Upstream, provider: MockProvider) -> None:
    asked, bad = request(chat_url(provider)), ("X-Bad", "a\r\nb")
    for refused in (
        msgspec.structs.replace(asked, headers=UpstreamHeaders([*asked.headers.pairs, bad])),
        msgspec.structs.replace(asked, own=(bad,)),
    ):
        with pytest.raises(UpstreamError) as caught:
            await upstream.open(refused)
        assert caught.value.code == "upstream_invalid"


async def test_an_address_without_a_host(upstream: Upstream) -> None:
    assert (await _failing(upstream, "http:///v1")).code == "upstream_invalid"


async def _failing(
    upstream: Upstream, url: str, *, plan: Plan | None = None, connect_s: float = 5.0, read_s: float = 5.0
) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await upstream.open(request(url, plan=plan, connect_s=connect_s, read_s=read_s))
    return caught.value


class _answering:
    """A server that answers the requests of each connection with these bytes in turn, the last one again and again;
    after an incomplete one it closes."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = list(self._answers)
        try:
            while await reader.readuntil(b"}]}"):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                writer.write(answer)
                if not answer.endswith(b"ok"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
