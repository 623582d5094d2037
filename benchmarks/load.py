"""The client side: bare connections that send bytes made in advance and check every byte of the answers."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import httptools

_PATIENCE_SECONDS = 60


class WrongAnswerError(Exception):
    """An answer was not the one that the mock sends for this request."""


class Request(NamedTuple):
    """The bytes to send and the body that must come back."""

    data: bytes
    expected: bytes


class Timing(NamedTuple):
    """Milliseconds from the first byte sent to the first of the body, and to the end."""

    first: float
    total: float


class Connection(asyncio.Protocol):
    """A keep-alive connection with one request at a time. Also httptools' callback object."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Timing] | None = None

    async def exchange(self, request: Request) -> Timing:
        """Send and wait for the end. Raises WrongAnswerError, ConnectionError or TimeoutError."""
        self._body: list[bytes] = []
        self._expected = request.expected
        self._parser = httptools.HttpResponseParser(self)
        self._done = self._loop.create_future()
        self._begun = self._first = time.perf_counter()
        self._transport.write(request.data)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._done

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError(f"the connection ended in the middle: {exc}"))

    def on_body(self, body: bytes) -> None:
        if not self._body:
            self._first = time.perf_counter()
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._done is None or self._done.done():
            return
        status, body = self._parser.get_status_code(), b"".join(self._body)
        if status != 200 or body != self._expected:
            self._done.set_exception(WrongAnswerError(f"status {status}, {len(body)} bytes: {body[-300:]!r}"))
            return
        ended = time.perf_counter()
        self._done.set_result(Timing((self._first - self._begun) * 1000, (ended - self._begun) * 1000))


async def connect(port: int, count: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]


async def drive(connections: Sequence[Connection], lanes: Sequence[Iterable[Request]]) -> list[Timing]:
    """Send each lane's requests one after another on its connection, all lanes at once."""
    timings: list[Timing] = []

    async def one(connection: Connection, lane: Iterable[Request]) -> None:
        for request in lane:
            timings.append(await connection.exchange(request))

    async with asyncio.TaskGroup() as group:
        for connection, lane in zip(connections, lanes, strict=True):
            group.create_task(one(connection, lane))
    return timings
