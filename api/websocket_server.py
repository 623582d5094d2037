"""The WebSocket protocol of the server: uvicorn's own, which also lets go of clients that read nothing.

A transport that is closed first delivers what it holds; a client that does not read would keep its connection, and the
memory, for as long as it likes.
"""

import socket
from asyncio import BaseTransport
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_INCOMING = 1 << 20  # bytes of a message; a larger one closes the connection with 1009
_UNSENT = 64 << 10  # bytes that the system keeps for a client; by itself it goes up to megabytes


class PatientProtocol(WebSocketsSansIOProtocol):
    """Waits `close_timeout` seconds for a client to take what is left, and no longer."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.writable.set()  # the close frame goes behind what waits, without waiting for it
            self._abort_later()
        await super().send(message)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_later()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_later()

    def _abort_later(self) -> None:
        self.loop.call_later(self.close_timeout, self.transport.abort)
