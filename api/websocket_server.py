"""The WebSocket protocol of the server: uvicorn's own, which also lets go of clients that read nothing, and hands out
its transport.

A transport that is closed first delivers what it holds; a client that does not read would keep its connection, and the
memory, for as long as it likes. Frames that are the same for hundreds of clients are written as they are: made anew for
each of them they would cost as much as the requests that they tell of.
"""

import socket
from asyncio import BaseTransport, Transport
from collections.abc import Mapping
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

from api.handshake import subprotocols

MAX_INCOMING = 1 << 20  # bytes of a message; a larger one closes the connection with 1009
WIRE = "chronoproxy.wire"
_UNSENT = 64 << 10  # bytes that the system keeps for a client; by itself it goes up to megabytes
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: %b\r\n\r\n"
)


class Wire:
    """Writes frames to an accepted connection (api/live_client.py); in the scope's extensions as WIRE."""

    def __init__(self, protocol: "PatientProtocol") -> None:
        self._protocol = protocol

    @property
    def open(self) -> bool:
        protocol = self._protocol
        return protocol.conn.state is State.OPEN and not protocol.transport.is_closing()

    @property
    def takes(self) -> bool:
        return self._protocol.writable.is_set() and self.open

    @property
    def unsent(self) -> int:
        return self._protocol.transport.get_write_buffer_size() if self.open else 0

    def write(self, data: bytes) -> None:
        if self.open:
            self._protocol.transport.write(data)

    async def writable(self) -> None:
        await self._protocol.writable.wait()


class PatientProtocol(WebSocketsSansIOProtocol):
    """Waits `close_timeout` seconds for a client to take what is left, and no longer."""

    _asked: Mapping[str, Any]

    def begin(self, transport: Transport, headers: list[tuple[bytes, bytes]], target: Mapping[str, Any]) -> None:
        """Take over from HTTP, after a handshake that is in order (api/handshake.py). `target` are the members of a
        scope that say where it goes. The library sees what it answers to and no more: it has limits and errors of its
        own."""
        key = next(value for name, value in headers if name == b"sec-websocket-key")
        self._asked = {**target, "headers": headers, "subprotocols": subprotocols(headers)}
        self.connection_made(transport)
        self.data_received(_HANDSHAKE % key)

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)  # the application comes to see the scope in a later turn of the loop
        cast(dict[str, Any], self.scope).update(self._asked)
        cast(dict[str, Any], self.scope["extensions"])[WIRE] = Wire(self)

    def send_receive_event_to_app(self) -> None:
        """A text that is none is the client's error, for which uvicorn logs one of ours."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.writable.set()  # the close frame goes behind what waits, without waiting for it
            self._abort_later()
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # refused, which is an answer; else that would be logged as an error

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_later()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_later()

    def _abort_later(self) -> None:
        self.loop.call_later(self.close_timeout, self.transport.abort)


def _is_text(frames: list[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
