"""The application behind a real socket, with the server that runs in production."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from api.connections import Limits
from api.listening import bind, url_of
from api.serving import Server, config


@asynccontextmanager
async def served(app: ASGIApp, limits: Limits | None = None, *, descriptors: int | None = None) -> AsyncIterator[str]:
    """The address at which `app` is served."""
    listener = bind("127.0.0.1", 0)
    server = Server(config(app), limits, descriptors=descriptors)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        await task
        listener.close()
