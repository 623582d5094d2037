"""The application behind a real socket, with the server that runs in production; clients that send what they like."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from api.connections import Limits
from api.listening import bind, url_of
from api.serving import Server, config

SENT = 40 << 20  # bytes that a client tries to send at most


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


class Client:
    """A connection on which anything can be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, piece: bytes) -> int:
        """As much as is taken, up to SENT; bytes sent."""
        sent = 0
        with suppress(ConnectionError):
            while sent < SENT and not self.reader.at_eof():
                await self.send(piece)
                sent += len(piece)
        return sent

    async def rest(self) -> bytes:
        """All until the server closes the connection."""
        data = b""
        with suppress(ConnectionError):
            while piece := await self.reader.read(1 << 16):
                data += piece
        return data

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of one answer in chunks or with a length."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length:" in head:
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return int(head.split()[1]), body


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
