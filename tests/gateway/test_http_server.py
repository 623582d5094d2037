"""Servers that are reached by HTTP, over real sockets."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.backend import Down, Invalid, Odd, Relayed
from gateway.event_stream import EventStream
from gateway.http_server import HttpServer
from gateway.tools import Caller
from schema.gateway import McpServerStarted
from tests.api.sockets import served
from tests.servers.mcp_http import McpHttp

ME = {"name": "test", "version": "1"}


class Rig:
    def __init__(self, remote: McpHttp, url: str) -> None:
        self.remote, self.url = remote, url
        self.facts: list[McpServerStarted] = []
        self.stack = AsyncExitStack()

    def server(self, path: str = "/mcp", **settings: Any) -> HttpServer:
        given = {"headers": {"x-key": "s3cret"}, "private": True, **settings}
        server = HttpServer("remote", self.url + path, self.facts.append, ME, **given)
        self.stack.push_async_callback(server.aclose)
        return server


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    remote = McpHttp()
    async with served(remote) as url:
        found = Rig(remote, url)
        async with found.stack:
            yield found


async def call(server: HttpServer, **arguments: Any) -> dict[str, Any]:
    result = await server.request("tools/call", {"name": "hello", "arguments": arguments}, Caller())
    found: dict[str, Any] = json.loads(result["content"][0]["text"])
    return found


@pytest.mark.parametrize("mode", ["json", "stream"])
async def test_a_call(rig: Rig, mode: str) -> None:
    rig.remote.mode = mode
    server = rig.server()
    found = await call(server, a="ü")
    assert (found["params"]["arguments"], found["key"]) == ({"a": "ü"}, "s3cret")
    assert rig.url.endswith(found["host"])
    await call(server)
    methods = [message.get("method") for _, message, _ in rig.remote.seen]
    assert methods == ["initialize", "notifications/initialized", "tools/call", "tools/call"]
    assert [(fact.transport, fact.protocol) for fact in rig.facts] == [("http", "2025-06-18")]
    assert (await server.identity())["serverInfo"]["name"] == "remote"
    assert (await server.check()).tools == ("hello",)
    await server.aclose()
    assert rig.remote.seen[-1][0] == "DELETE"


async def test_a_session_that_was_forgotten(rig: Rig) -> None:
    server = rig.server()
    await call(server)
    rig.remote.sessions.clear()
    assert (await call(server, again=1))["params"]["arguments"] == {"again": 1}


@pytest.mark.parametrize(
    ("mode", "error"),
    [("half", Down), ("page", Invalid), ("login", Odd), ("broken", Down), ("elsewhere", Odd)],
)
async def test_what_goes_wrong(rig: Rig, mode: str, error: type[Exception]) -> None:
    server = rig.server()
    await call(server)
    rig.remote.mode = mode
    with pytest.raises(error) as caught:
        await call(server)
    assert type(caught.value) is error
    assert (await server.check()).connected is False
    rig.remote.mode = "json"
    assert (await server.check()).connected is True


async def test_an_error_whatever_its_status(rig: Rig) -> None:
    server = rig.server()
    await call(server)
    rig.remote.mode = "error"
    with pytest.raises(Relayed) as caught:
        await call(server)
    assert caught.value.raw == {"code": -32099, "message": "no", "data": [1]}


async def test_redirects_on_the_same_server(rig: Rig) -> None:
    assert (await call(rig.server("/moved"), a=1))["params"]["arguments"] == {"a": 1}


async def test_addresses_that_are_not_called(rig: Rig) -> None:
    with pytest.raises(Down, match="private = true"):
        await call(rig.server(private=False))
    server = HttpServer("m", "http://169.254.169.254/mcp", rig.facts.append, ME, headers={}, private=True)
    with pytest.raises(Down, match="never called"):
        await call(server)
    assert rig.remote.seen == []


async def test_nobody_there() -> None:
    server = HttpServer("m", "http://127.0.0.1:9/mcp", lambda _: None, ME, headers={}, private=True)
    with pytest.raises(Down, match="could not be connected"):
        await call(server)
    assert (await server.identity())["serverInfo"]["name"] == "unknown"
    await server.aclose()


async def test_a_call_that_nobody_waits_for(rig: Rig) -> None:
    server = rig.server()
    await call(server)
    rig.remote.mode = "wait"
    waiting = asyncio.get_running_loop().create_task(call(server))
    while rig.remote.seen[-1][1].get("method") != "tools/call" or len(rig.remote.seen) < 4:
        await asyncio.sleep(0.01)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    while not rig.remote.left or rig.remote.seen[-1][1].get("method") != "notifications/cancelled":
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1_000])
def test_events_in_pieces(cut: int) -> None:
    whole = b'data: {"a":\ndata: 1}\r\n\r\n: note\nevent: other\ndata: no\n\ndata:x\n\n'
    stream = EventStream(1_000)
    found = [data for at in range(0, len(whole), cut) for data in stream.feed(whole[at : at + cut])]
    assert found == [b'{"a":\n1}', b"x"]


def test_an_event_without_end() -> None:
    stream = EventStream(100)
    assert list(stream.feed(b"data: " + b"x" * 200)) == []
    assert stream.overflown
