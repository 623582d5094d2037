"""The WebSocket /ws: who may connect, what it asks, and the two directions of a connection."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.errors import ApiError, RefusedValueError, error_body
from api.fields import MAX_INT
from api.gate import Denial, Gate
from api.handshake import LIVE_PATH
from api.live_client import MAX_MESSAGES, PATIENCE_S, STALLED_S, GoneError, LiveClient, StalledError
from api.live_hub import Hub, UnreadableError
from api.live_incoming import answer
from api.live_requests import ClientRequests, Requests
from api.websocket_server import WIRE

_PROTOCOL = "chronoproxy"
_BEARER = "bearer."
_INTERNAL, _TRY_AGAIN = 1011, 1013

Headers = list[tuple[bytes, bytes]]


class LiveSocket:
    """The ASGI application of WebSocket connections, of servers that have a Wire.

    A client that accepts nothing for `stalled_s` seconds is let go; at most `max_messages` wait for one that takes
    nothing for `patience_s` seconds.
    """

    def __init__(
        self,
        gate: Gate,
        hub: Hub,
        requests: Requests | None = None,
        *,
        stalled_s: float = STALLED_S,
        patience_s: float = PATIENCE_S,
        max_messages: int = MAX_MESSAGES,
    ) -> None:
        self._gate, self._hub = gate, hub
        self._stalled_s, self._patience_s, self._max_messages = stalled_s, patience_s, max_messages
        self._requests = requests or Requests({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        denial = self._denial(scope)
        if denial is not None:
            await _refuse(receive, send, scope["path"], denial.status, denial.code, denial.message)
            return
        if scope["path"] != LIVE_PATH:
            await _refuse(receive, send, scope["path"], 404, "not_found", "There is nothing at this address.")
            return
        try:
            asked = _asked(scope)
        except ApiError as error:
            await _refuse(receive, send, scope["path"], error.status, error.code, error.message, error.context)
            return
        socket = WebSocket(scope, receive, send)
        await socket.accept(_PROTOCOL if _PROTOCOL in scope["subprotocols"] else None)
        client = LiveClient(
            scope["extensions"][WIRE],
            session_id=asked.session_id,
            feed=asked.feed,
            max_messages=self._max_messages,
            patience_s=self._patience_s,
            stalled_s=self._stalled_s,
        )
        try:
            await self._serve(socket, client, asked.after)
        finally:
            self._hub.leave(client)

    def _denial(self, scope: Scope) -> Denial | None:
        server = scope.get("server")
        headers = _with_token(scope["headers"], scope["subprotocols"])
        return self._gate.denial("CONNECT", scope["path"], headers, server[0] if server else None)

    async def _serve(self, socket: WebSocket, client: LiveClient, after: int | None) -> None:
        """Both directions, until one of them ends."""
        loop = asyncio.get_running_loop()
        tasks = (
            loop.create_task(self._send(socket, client, after)),
            loop.create_task(self._receive(socket, client)),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, socket: WebSocket, client: LiveClient) -> None:
        asked = ClientRequests(self._requests, client.reply, lambda: client.position)
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                await client.begun()  # what it begins with comes first
                reply = answer(message.get("text"), client.position, asked.start)
                if reply is not None:
                    client.reply(reply)
        finally:
            await asked.aclose()

    async def _send(self, socket: WebSocket, client: LiveClient, after: int | None) -> None:
        with suppress(GoneError, WebSocketDisconnect):
            try:
                await self._hub.join(client, after)
                await client.drain()
            except UnreadableError:
                await socket.close(_INTERNAL, "the tables cannot be read")
            except StalledError:
                await socket.close(_TRY_AGAIN, "nothing was accepted for too long")


def _with_token(headers: Sequence[tuple[bytes, bytes]], subprotocols: Sequence[str]) -> Headers:
    """Browsers cannot set headers of a WebSocket: the token then comes as a subprotocol."""
    given = list(headers)
    token = next((name[len(_BEARER) :] for name in subprotocols if name.startswith(_BEARER)), None)
    if token is not None and _PROTOCOL in subprotocols and not any(name == b"authorization" for name, _ in given):
        given.append((b"authorization", b"Bearer " + token.encode("latin-1", "replace")))
    return given


class _Asked(NamedTuple):
    session_id: int | None
    feed: bool
    after: int | None


def _asked(scope: Scope) -> _Asked:
    """Raises ApiError 422."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if "at" in query:
        text = "What happens is told live; after=N begins behind an earlier event."
        raise RefusedValueError("at_not_supported", ("query", "at"), text, query["at"][-1])
    feed = query.get("feed", [""])[-1]
    if feed not in ("", "events"):
        raise RefusedValueError("invalid_field", ("query", "feed"), "feed can only be events.", feed)
    return _Asked(_number(query, "session_id", 1), feed == "events", _number(query, "after", 0))


def _number(query: dict[str, list[str]], name: str, least: int) -> int | None:
    if name not in query:
        return None
    text = query[name][-1]
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and least <= int(text) <= MAX_INT):
        message = f"{name} must be an integer from {least} to {MAX_INT}."
        raise RefusedValueError("invalid_field", ("query", name), message, text)
    return int(text)


async def _refuse(
    receive: Receive,
    send: Send,
    path: str,
    status: int,
    code: str,
    text: str,
    context: Mapping[str, object] | None = None,
) -> None:
    """An HTTP answer in the place of the handshake."""
    await receive()  # websocket.connect
    body = error_body(path, status, code, text, context)
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
