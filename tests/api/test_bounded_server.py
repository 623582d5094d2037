"""What a client may send before anybody knows who it is, over real sockets: how long a head, and for how long."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api.connections import Limits
from tests.api.house import House
from tests.api.sockets import SENT, connected, served

HOST = b"Host: 127.0.0.1\r\n"
QUICK = Limits(head_s=0.1, body_s=0.1)


class Seen:
    """An application that answers the length of the body, and notes what reached it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, list[tuple[bytes, bytes]], bytes]] = []
        self.gone = 0
        self.release = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        if scope["path"] != "/early":
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.gone += 1
                    return
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
        self.requests.append((scope["path"], list(scope["headers"]), body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await self.release.wait()
        await send({"type": "http.response.body", "body": b"%d" % len(body), "more_body": False})


def refusal(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer behind which the connection was closed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower() and b"content-type: application/json" in head.lower()
    fields: dict[str, Any] = json.loads(body)
    return int(head.split()[1]), fields


LINES = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 60) for number in range(150))


@pytest.mark.parametrize(
    ("begin", "piece", "expected"),
    [
        (b"GET /api/sessions HTTP/1.1\r\n" + HOST + b"X-A: ", b"a" * 50_000, (431, "head_too_large")),
        (b"GET /api/sessions HTTP/1.1\r\n" + HOST, LINES, (431, "head_too_large")),
        (b"GET /api/sessions HTTP/1.1\r\n" + HOST + b"X-", b"a" * 50_000, (431, "head_too_large")),
        (b"GET /api/", b"a" * 50_000, (414, "uri_too_long")),
        (b"POST /api/sessions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: ",
         b"a" * 50_000, (431, "head_too_large")),
        (b"POST /api/sessions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
         LINES, (431, "head_too_large")),
        (b"POST /api/sessions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;",
         b"a" * 50_000, (431, "head_too_large")),
    ],
    ids=["one header", "many headers", "a name", "the address", "a trailer", "many trailers", "an extension"],
)  # fmt: skip
async def test_a_head_without_end_is_refused_while_it_arrives(
    begin: bytes, piece: bytes, expected: tuple[int, str]
) -> None:
    app = Seen()
    async with served(app) as url, connected(url) as client:
        await client.send(begin)
        sending = asyncio.get_running_loop().create_task(client.flood(piece))
        status, fields = refusal(await client.rest())
        assert await sending < SENT
    assert (status, fields["code"]) == expected
    assert app.requests == []


async def test_long_heads_that_are_complete_are_refused_too() -> None:
    app = Seen()
    async with served(app) as url:
        async with connected(url) as client:
            await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n")
            assert refusal(await client.rest())[0] == 431
        async with connected(url) as client:
            await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"X-A: a\r\n" * 200 + b"\r\n")
            status, fields = refusal(await client.rest())
            assert (status, "200" in fields["error"]) == (431, True)
    assert app.requests == []


async def test_the_shape_is_that_of_the_path() -> None:
    async with served(Seen()) as url, connected(url) as client:
        await client.send(b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 70_000)
        status, fields = refusal(await client.rest())
    assert (status, fields["error"]["code"]) == (431, "head_too_large")


async def test_what_is_long_but_within_the_limits_is_served() -> None:
    app = Seen()
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 300) for number in range(190))
    body = b"b" * 1_000_000
    async with served(app) as url, connected(url) as client:
        for _ in range(2):
            head = b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n" % len(body) + lines + b"\r\n"
            await client.send(head + body)
            assert await client.answer() == (200, b"1000000")
        chunks = b"".join(b"1;x=y\r\nc\r\n" for _ in range(50_000))
        await client.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        long = b"GET /x HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 60_000 + b"\r\n\r\n"
        await client.send(b"0\r\nX-Late: 1\r\n\r\n" + long + long)
        assert await client.answer() == (200, b"50000")
        assert [await client.answer(), await client.answer()] == [(200, b"0"), (200, b"0")]
        await client.send(b"GET /y HTTP/1.1\r\n" + HOST + b"\r\n")
        assert await client.answer() == (200, b"0")
    assert app.requests[-1][1] == [(b"host", b"127.0.0.1")]  # a trailer belongs to nothing that follows it
    assert not [name for _, headers, _ in app.requests for name, _ in headers if name == b"x-late"]


async def test_an_answer_under_way_is_finished_before_the_connection_ends() -> None:
    app = Seen()
    async with served(app) as url, connected(url) as client:
        await client.send(b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\nnot HTTP at all\r\n\r\n")
        await client.reader.readuntil(b"first\r\n")
        app.release.set()
        assert await client.rest() == b"1\r\n0\r\n0\r\n\r\n"


async def test_what_is_not_http_gets_400_in_json() -> None:
    async with served(Seen()) as url, connected(url) as client:
        await client.send(b"SSH-2.0-OpenSSH_9\r\n\r\n")
        status, fields = refusal(await client.rest())
    assert (status, fields["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", None),
        (b"GET /he", (408, "request_timeout")),
        (b"GET /health HTTP/1.1\r\nHost: 127", (408, "request_timeout")),
        (b"POST /api/sessions HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{", (408, "request_timeout")),
        (b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{", (408, "request_timeout")),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"\r\nGET /he", (408, "request_timeout")),
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half a completion", "half of a second request"],
)
async def test_who_sends_nothing_more_is_let_go(sent: bytes, expected: tuple[int, str] | None) -> None:
    app = Seen()
    async with served(app, QUICK) as url, connected(url) as client:
        await client.send(sent)
        if sent.startswith(b"GET /x"):
            assert await client.answer() == (200, b"0")
        answer = await asyncio.wait_for(client.rest(), 20)
    if expected is None:
        assert answer == b""
        return
    status, fields = refusal(answer)
    error = fields["error"] if isinstance(fields["error"], dict) else fields
    assert (status, error["code"]) == expected
    assert app.gone == (b"Content-Length" in sent)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip", b"identity"])
async def test_a_body_in_a_coding_that_is_not_understood_is_refused(coding: bytes) -> None:
    app = Seen()
    async with served(app) as url, connected(url) as client:
        for known in (b"chunked", b"Chunked "):
            await client.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + known + b"\r\n\r\n0\r\n\r\n")
            assert await client.answer() == (200, b"0")
        await client.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n")
        status, fields = refusal(await asyncio.wait_for(client.rest(), 20))
    assert (status, fields["code"]) == (501, "unsupported_transfer_coding")
    assert len(app.requests) == 2


async def test_the_rest_of_a_body_that_nobody_wants_is_not_awaited_for_ever() -> None:
    async with served(Seen(), QUICK) as url, connected(url) as client:
        await client.send(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n{")
        assert await client.answer() == (200, b"0")
        assert await asyncio.wait_for(client.rest(), 20) == b""


async def test_neither_answers_nor_idle_connections_are_hit_by_the_deadlines() -> None:
    app = Seen()
    async with served(app, QUICK) as url, connected(url) as streaming, connected(url) as idle:
        await streaming.send(b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n")
        await streaming.reader.readuntil(b"first\r\n")
        await idle.send(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
        assert await idle.answer() == (200, b"0")
        async with connected(url) as silent:  # it goes, so the deadlines have been looked at since
            await asyncio.wait_for(silent.rest(), 20)
        app.release.set()
        assert await streaming.reader.readuntil(b"\r\n0\r\n\r\n")
        await idle.send(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
        assert await idle.answer() == (200, b"0")


async def test_only_so_many_connections_wait_without_a_request() -> None:
    app = Seen()
    async with served(app, Limits(waiting=5)) as url, httpx.AsyncClient(timeout=30, base_url=url) as other:
        assert (await other.get("/x")).text == "0"
        opened = [await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port) for _ in range(20)]
        for reader, _ in opened[:15]:
            assert await asyncio.wait_for(_closed(reader), 20)
        writer = opened[-1][1]
        writer.write(b"GET /last HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await opened[-1][0].readline()).startswith(b"HTTP/1.1 200")
        assert (await other.get("/x")).text == "0"
        for _, writer in opened:
            writer.close()


async def _closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


async def test_idle_connections_make_room_when_the_files_run_out(caplog: pytest.LogCaptureFixture) -> None:
    app = Seen()
    async with served(app, descriptors=2) as url, connected(url) as idle, connected(url) as streaming:
        await streaming.send(b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n")
        await streaming.reader.readuntil(b"first\r\n")
        assert await asyncio.wait_for(idle.rest(), 20) == b""
        async with httpx.AsyncClient(timeout=30, base_url=url) as other:
            assert (await other.get("/x")).text == "0"
        app.release.set()
        assert await streaming.reader.readuntil(b"\r\n0\r\n\r\n")
    assert [record.levelname for record in caplog.records if "ulimit" in record.message] == ["WARNING"]


@pytest.mark.parametrize(
    ("line", "headers", "code"),
    [
        (b"GET http://evil.test/api/sessions", (b"Host: 127.0.0.1",), "host_not_allowed"),
        (b"GET /api/sessions", (b"Host: 127.0.0.1:30001, evil.test",), "host_not_allowed"),
        (b"GET /api/sessions", (b"Host: 127.0.0.1:abc",), "host_not_allowed"),
        (b"GET /api/sessions", (b"Host: 127.0.0.1", b"Host: 127.0.0.1"), "host_not_allowed"),
        (b"POST /api/sessions", (b"Host: localhost", b"Origin: http://localhost", b"Origin: http://evil.test"),
         "origin_not_allowed"),
    ],
)  # fmt: skip
async def test_a_second_host_or_origin_is_not_overlooked(
    house: House, line: bytes, headers: tuple[bytes, ...], code: str
) -> None:
    async with served(house.front) as url, connected(url) as client:
        await client.send(line + b" HTTP/1.1\r\n" + b"\r\n".join(headers) + b"\r\nContent-Length: 0\r\n\r\n")
        status, body = await client.answer()
        assert (status, json.loads(body)["code"]) == (403, code)
        await client.send(b"GET http://localhost/health HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert (await client.answer())[0] == 200
    assert house.events() == []


async def test_the_host_of_an_absolute_address_counts() -> None:
    app = Seen()
    async with served(app) as url, connected(url) as client:
        for target in (b"http://evil.test/x?y=1", b"http://evil.test?y=1", b"HTTP://evil.test"):
            await client.send(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await client.answer())[0] == 200
    assert [path for path, _, _ in app.requests] == ["/x", "/", "/"]
    assert [headers for _, headers, _ in app.requests] == [[(b"host", b"evil.test")]] * 3
