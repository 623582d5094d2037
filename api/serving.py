"""The HTTP server process: socket, signals, shutdown."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from api.bounded_server import BoundedProtocol
from api.connections import Connections, Limits
from api.descriptors import limit as descriptor_limit
from api.websocket_server import MAX_INCOMING, PatientProtocol

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop as new_event_loop

GRACE_S = 10
_TICKS_A_SECOND = 10  # of uvicorn's
_CANCELLING_S = 1.0
# Longer than clients keep an idle connection (httpx and Node: 5 s). With the server's own 5 s both close at the same
# time, and a request that is just on its way is lost.
KEEP_ALIVE_S = 75


class Server(uvicorn.Server):
    """Leaves the signals to `serve`: uvicorn would raise them again at its end, before our own clean-up."""

    def __init__(self, config: uvicorn.Config, limits: Limits | None = None, *, descriptors: int | None = None) -> None:
        super().__init__(config)
        self._connections = Connections(limits or Limits(), descriptors or descriptor_limit())
        self.server_state = self._connections

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_SECOND == 0:
            self._connections.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """What still runs at its end has been cancelled and has had the time to say so: what is closed after it must
        not look like the failure of somebody else."""
        await super().shutdown(sockets)
        tasks = list(self.server_state.tasks)
        if self.force_exit:  # else uvicorn has done it
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLING_S)


def config(app: ASGIApp) -> uvicorn.Config:
    """How the server runs `app`."""
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws=PatientProtocol,
        ws_max_size=MAX_INCOMING,
        ws_per_message_deflate=False,  # it would cost each client 300 KB
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


async def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT: no new requests, 10 s for running ones, then they are cancelled; a second signal
    cancels at once."""
    server = Server(config(app))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    if sys.platform == "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
    await server.serve(sockets=[listener])
