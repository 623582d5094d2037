"""The server's protocol, fed by hand: what it writes, and when; whom it tells that a client has left."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api.http_server import WHEN_GONE, HttpProtocol
from api.serving import config

App = Callable[[Scope, Receive, Send], Awaitable[None]]

_GET = b"GET /a%20b?q=1 HTTP/1.1\r\nhost: h\r\n\r\n"
_TURNS = 5


class Wire(asyncio.Transport):
    """Keeps each piece that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.paused = self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def connected(app: App) -> tuple[HttpProtocol, Wire]:
    wire, settings = Wire(), config(app)
    settings.load()
    protocol = HttpProtocol(settings, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    return protocol, wire


async def turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [*headers]}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_whole_answer_is_one_piece() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"q=1")
        await send(start((b"content-length", b"2"), (b"X-A", b"1")))
        await send(body(b"ok"))

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: 1\r\n\r\nok"]
    protocol.data_received(_GET)
    await turns()
    assert len(wire.written) == 2
    protocol.connection_lost(None)


@pytest.mark.parametrize("status", [299, 599, 600, 999])
async def test_every_status_of_an_upstream_can_be_said(status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"content-length", b"0"), status=status))
        await send(body(b""))

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    assert b"".join(wire.written).startswith(b"HTTP/1.1 %d \r\n" % status)
    protocol.connection_lost(None)


async def test_a_head_does_not_wait_for_what_comes_later() -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await go_on.wait()
        await send(body(b"a", more=True))
        await send(body(b""))

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    assert wire.written == [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
    go_on.set()
    await turns()
    assert wire.written[1:] == [b"1\r\na\r\n", b"0\r\n\r\n"]
    protocol.connection_lost(None)


async def test_what_breaks_off_has_sent_its_head_and_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"content-length", b"2")))

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"]
    assert wire.closed
    protocol.connection_lost(None)
    assert [(record.levelname, record.name) for record in caplog.records] == [("DEBUG", "chronoproxy.http")]


@pytest.mark.parametrize("bad", [(b"a b", b"1"), (b"a", b"1\r\nb: 2"), (b"a", b"\0")])
async def test_a_header_that_would_be_read_as_something_else_is_not_sent(bad: tuple[bytes, bytes]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"x-a", b"1"), bad))

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    assert b"".join(wire.written).startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(("length", "data"), [(b"1", b"ab"), (b"3", b"ab")])
async def test_a_body_of_another_length_than_was_said_closes_the_connection(length: bytes, data: bytes) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"content-length", length)))
        await send(body(data))

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    assert wire.closed


async def test_a_connection_that_is_not_kept_is_closed_and_says_so() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"content-length", b"0")))
        await send(body(b""))

    protocol, wire = connected(app)
    protocol.data_received(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
    await turns()
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]
    assert wire.closed


async def test_a_body_in_pieces_is_read_whole_and_held_back_in_between() -> None:
    pieces = [b"x" * 200_000, b"y" * 200_000]
    got = bytearray()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            got.extend(message["body"])
            more = message["more_body"]
        await send(start(status=204))
        await send(body(b""))

    protocol, wire = connected(app)
    protocol.data_received(b"POST / HTTP/1.1\r\ncontent-length: 400000\r\n\r\n" + pieces[0])
    protocol.data_received(pieces[1])
    assert wire.paused
    await turns()
    assert bytes(got) == b"".join(pieces)
    assert not wire.paused
    assert wire.written == [b"HTTP/1.1 204 No Content\r\n\r\n"]
    protocol.connection_lost(None)


async def test_who_answers_is_told_that_the_client_left() -> None:
    told: list[str] = []
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"][WHEN_GONE](lambda: told.append(scope["path"]))
        await go_on.wait()
        await send(start())

    protocol, wire = connected(app)
    protocol.data_received(b"GET /left HTTP/1.1\r\n\r\n")
    await turns()
    assert not told
    protocol.connection_lost(None)
    assert told == ["/left"]
    go_on.set()
    await turns()
    assert not wire.written


@pytest.mark.parametrize(
    ("few", "many"),
    [(_GET * 3, _GET * 20), (b"POST / HTTP/1.1\r\ncontent-length: 999999\r\n\r\n" + b"x" * 200_000, b"y" * 200_000)],
)
async def test_what_comes_behind_a_request_is_read_up_to_a_bound(few: bytes, many: bytes) -> None:
    told: list[str] = []
    look_again = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await look_again.wait()
        scope["extensions"][WHEN_GONE](lambda: told.append(scope["path"]))
        await asyncio.Event().wait()

    protocol, wire = connected(app)
    protocol.data_received(_GET)
    await turns()
    protocol.data_received(few)
    assert not wire.paused
    protocol.data_received(many)
    assert wire.paused
    look_again.set()
    await turns()
    assert wire.paused
    protocol.connection_lost(None)
    assert told == ["/a b"]


async def test_nobody_is_told_after_the_end_or_when_nobody_cares_any_more() -> None:
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        when_gone = scope["extensions"][WHEN_GONE]
        when_gone(lambda: told.append(scope["path"]))
        if scope["path"] == "/stopped":
            when_gone(None)
            await asyncio.sleep(10)
        await send(start((b"content-length", b"0")))
        await send(body(b""))

    for path in (b"/answered", b"/stopped"):
        protocol, _ = connected(app)
        protocol.data_received(b"GET %b HTTP/1.1\r\n\r\n" % path)
        await turns()
        protocol.connection_lost(None)
    assert not told


async def test_who_asks_too_late_is_told_at_once() -> None:
    told: list[bool] = []
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        scope["extensions"][WHEN_GONE](lambda: told.append(True))

    protocol, _ = connected(app)
    protocol.data_received(_GET)
    await turns()
    protocol.connection_lost(None)
    go_on.set()
    await turns()
    assert told == [True]
