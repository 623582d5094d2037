"""Requests that ask for another protocol, over real sockets: which get a WebSocket, and how the others are answered."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from starlette.types import Receive, Scope, Send

from api.connections import Limits
from api.handshake import fault, subprotocols
from tests.api.house import House
from tests.api.sockets import connected, served

KEY = b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
VERSION = b"sec-websocket-version: 13\r\n"
UPGRADE = b"upgrade: websocket\r\nconnection: upgrade\r\n"
HANDSHAKE = UPGRADE + KEY + VERSION
LOCAL, EVIL = b"host: localhost\r\n", b"host: evil.example\r\n"
TWO = b"content-length: 2\r\n\r\n{}"
CHUNKS = b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
NEXT = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"POST /api/sessions HTTP/1.1\r\n" + EVIL + UPGRADE + TWO, 403, "host_not_allowed"),
        (b"GET /ws HTTP/1.1\r\n" + EVIL + HANDSHAKE + TWO, 403, "host_not_allowed"),
        (b"GET /ws HTTP/1.1\r\n" + EVIL + UPGRADE + KEY + b"sec-websocket-version: 8\r\n\r\n", 403, "host_not_allowed"),
        (b"GET /ws HTTP/1.1\r\n" + EVIL + UPGRADE + b"\r\n", 403, "host_not_allowed"),
        (b"POST /ws HTTP/1.1\r\n" + EVIL + HANDSHAKE + TWO, 403, "host_not_allowed"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + b"origin: http://evil.example\r\n" + UPGRADE + VERSION + b"\r\n",
         403, "origin_not_allowed"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + HANDSHAKE + TWO, 400, "malformed_request"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + HANDSHAKE + CHUNKS, 400, "malformed_request"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + UPGRADE + VERSION + b"\r\n", 400, "malformed_request"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + UPGRADE + VERSION + KEY + KEY + b"\r\n", 400, "malformed_request"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + UPGRADE + KEY + b"sec-websocket-version: 8\r\n\r\n",
         426, "upgrade_required"),
        (b"GET /ws HTTP/1.1\r\n" + LOCAL + b"\r\n", 426, "upgrade_required"),
        (b"GET /ws HTTP/1.0\r\n" + LOCAL + HANDSHAKE + b"\r\n", 426, "upgrade_required"),
        (b"POST /ws HTTP/1.1\r\n" + LOCAL + HANDSHAKE + TWO, 405, "method_not_allowed"),
        (b"GET /nowhere HTTP/1.1\r\n" + LOCAL + HANDSHAKE + b"\r\n", 404, "not_found"),
    ],
)  # fmt: skip
async def test_what_begins_no_websocket_gets_the_error_of_a_request(
    house: House, sent: bytes, status: int, code: str
) -> None:
    async with served(house.front) as url, connected(url) as client:
        await client.send(sent)
        got, body = await asyncio.wait_for(client.answer(), 20)
    assert (got, json.loads(body)["code"]) == (status, code)


@pytest.mark.parametrize("protocol", [UPGRADE, b"upgrade: h2c\r\nconnection: Upgrade, HTTP2-Settings\r\n"])
@pytest.mark.parametrize("framed", [TWO, CHUNKS])
async def test_elsewhere_a_request_is_served_as_if_it_had_not_asked(protocol: bytes, framed: bytes) -> None:
    seen = list[tuple[str, bytes, bytes | None]]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        seen.append((scope["path"], body, dict(scope["headers"]).get(b"upgrade")))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    head = b"POST /v1/chat/completions HTTP/1.1\r\n" + LOCAL + protocol
    async with served(app) as url:
        for pieces in ([head + framed + head + framed + NEXT], [head, framed[:-1], framed[-1:] + head + framed, NEXT]):
            async with connected(url) as client:
                for piece in pieces:
                    await client.send(piece)
                    await asyncio.sleep(0.01)
                assert [await client.answer() for _ in range(3)] == [(200, b"")] * 3
    asked = protocol.split(b"\r\n")[0].removeprefix(b"upgrade: ")
    chat = ("/v1/chat/completions", b"{}", asked)
    assert seen == [chat, chat, ("/health", b"", None)] * 2


async def test_many_such_requests_in_one_piece_are_all_served(house: House) -> None:
    """More than the stack is deep, and more bytes than one head may have."""
    one = b"GET /health HTTP/1.1\r\n" + LOCAL + UPGRADE + b"\r\n"
    async with served(house.front) as url, connected(url) as client:
        await client.send(one * 1_500)
        assert {(await client.answer())[0] for _ in range(1_500)} == {200}


async def test_the_deadlines_hold_for_them_too(house: House) -> None:
    for head in (
        b"POST /api/sessions HTTP/1.1\r\n",
        b"GET /ws HTTP/1.1\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\n",
    ):
        async with served(house.front, Limits(head_s=0.1, body_s=0.1)) as url, connected(url) as client:
            await client.send(
                head + LOCAL + HANDSHAKE + b"content-type: application/json\r\ncontent-length: 99\r\n\r\n{"
            )
            assert (await asyncio.wait_for(client.rest(), 20)).startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))


async def test_a_websocket_does_not_begin_behind_a_request_that_is_not_answered_yet(house: House) -> None:
    async with served(house.front) as url, connected(url) as client:
        await client.send(NEXT + b"GET /ws HTTP/1.1\r\n" + LOCAL + HANDSHAKE + b"\r\n")
        assert (await client.answer())[0] == 200
        assert (await client.answer())[0] == 426
        await client.send(b"GET /ws HTTP/1.1\r\n" + LOCAL + HANDSHAKE + b"\r\n")
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 101 ")


async def test_a_handshake_may_have_as_long_a_head_as_any_request(house: House) -> None:
    """The library's own limits are 128 headers of 8 KiB."""
    long = b"cookie: " + b"a" * 30_000 + b"\r\n" + b"x-a: b\r\n" * 150
    async with served(house.front) as url, connected(url) as client:
        await client.send(b"GET /ws?x=" + b"y" * 9_000 + b" HTTP/1.1\r\n" + LOCAL + HANDSHAKE + long + b"\r\n")
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 101 ")


async def test_the_connect_method_is_refused(house: House) -> None:
    async with served(house.front) as url, connected(url) as client:
        await client.send(b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n")
        assert (await asyncio.wait_for(client.rest(), 20)).startswith(b"HTTP/1.1 400 ")


GOOD = ((b"sec-websocket-version", b"13"), (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="))


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [
        ("GET", (), None),
        ("GET", ((b"content-length", b"0"),), None),
        ("GET", ((b"content-length", b"1"),), 400),
        ("GET", ((b"transfer-encoding", b"chunked"),), 400),
        ("GET", ((b"sec-websocket-key", b"AAAA"),), 400),
        ("GET", ((b"sec-websocket-version", b"13"),), 426),
        ("HEAD", (), 426),
        ("DELETE", (), 405),
    ],
)
def test_faults_of_a_handshake(method: str, more: Sequence[tuple[bytes, bytes]], status: int | None) -> None:
    found = fault(method, [*GOOD, *more])
    assert (found and found.status) == status


@pytest.mark.parametrize("key", [b"", b"AAAA", b"not base64 at all, really", b"\xff" * 24, b"A" * 24])
def test_a_key_is_16_bytes(key: bytes) -> None:
    found = fault("GET", [GOOD[0], (b"sec-websocket-key", key)])
    assert found is not None
    assert found.status == 400


def test_subprotocols_of_all_headers() -> None:
    name = b"sec-websocket-protocol"
    assert subprotocols([(name, b"chronoproxy, bearer.x"), (b"a", b"b"), (name, b"c,")]) == [
        "chronoproxy",
        "bearer.x",
        "c",
    ]
