"""One HTTP/1.1 connection to an upstream: a request at a time, its answer as it arrives (RFC 9112).

What has arrived is given out before any failure that follows it. Reading stops while 256 KiB wait for a slow client.
"""

import asyncio
from collections.abc import Sequence
from typing import cast

import httptools

from proxy.upstream_errors import SWITCHED, UpstreamErrorCode

_MAX_HEAD = 262_144  # bytes of an answer's head
_HIGH_WATER = 262_144  # bytes of an answer that wait for the client
_JOINED = 16_384  # bytes of a body that go out in one piece with its head
_PIECE = 262_144  # bytes of a request's body that are written at once


class BrokenError(Exception):
    """The connection or its answer is of no use. `untouched` says that not a byte of an answer came before the
    connection ended, so that a request on a reused connection may be sent again."""

    def __init__(self, code: UpstreamErrorCode, text: str, *, untouched: bool = False) -> None:
        super().__init__(text)
        self.code: UpstreamErrorCode = code
        self.text, self.untouched = text, untouched


class Connection(asyncio.Protocol):
    """The loop's protocol and httptools' callback object in one.

    `used` says that it has served a request before, `idle` that it can take one, `complete` that the answer has come to
    its end, `waiting` how many bytes of it have not been read. `status` and `headers` are those of the answer.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._broken: BrokenError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._body: list[bytes] = []
        self.waiting = 0  # bytes in _body
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._timeout_s = 0.0
        self._received = 0
        self._moved = 0.0  # when a byte last went in either direction
        self._unsent = 0
        self.used = False
        self.idle_since = 0.0
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head_bytes = 0
        self._head_done = self.complete = self._sized = self._keep_alive = False
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    @property
    def idle(self) -> bool:
        """Whether the next request can be sent on it."""
        return self.complete and self._keep_alive and self._broken is None and not self._body

    async def request(self, head: bytes, body: bytes, read_timeout_s: float) -> None:
        """Send a request and wait for the head of its answer. Raises BrokenError."""
        if self._broken is not None:
            raise self._broken
        self._reset()
        self._received = self._unsent = 0
        self._moved = self._loop.time()
        self._timeout_s = read_timeout_s
        if self._timer is None or self._timer.when() > self._moved + read_timeout_s:
            self._watch(read_timeout_s)
        if len(body) <= _JOINED and self._transport is not None:
            self._transport.write(head + body)
        else:
            await self._write(head, body)
        while not self._head_done:
            await self._more()

    async def read(self) -> bytes:
        """What has arrived of the body since the last call, at least a byte; empty at its end. Raises BrokenError."""
        while not self._body:
            if self.complete:
                return b""
            await self._more()
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self.waiting = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def rest(self) -> None:
        """Its answer was read to the end: it waits for the next request."""
        self.used = True
        self.idle_since = self._loop.time()

    def close(self) -> None:
        """At once, whatever is under way."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    async def _write(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        if len(body) <= _PIECE:
            self._transport.writelines((head, body))
            return
        self._transport.write(head)
        for at in range(0, len(body), _PIECE):
            if self._head_done or self._broken is not None:  # it was refused before it was read
                self._keep_alive = False
                return
            self._transport.write(memoryview(body)[at : at + _PIECE])
            if self._drained is not None:
                await self._drained

    async def _more(self) -> None:
        """Wait until something has come."""
        if self._broken is not None:
            raise self._broken
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, code: UpstreamErrorCode, text: str) -> None:
        if self._broken is None:
            self._broken = BrokenError(code, text, untouched=not self._received and code == "upstream_unreachable")
        self.close()
        self._wake()

    def _watch(self, seconds: float) -> None:
        """The timer goes on from one request to the next: most end long before it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Whether the upstream has been silent for too long, with nothing more to send to it."""
        self._timer = None
        if self.complete:
            return
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if self._paused or unsent != self._unsent:
            self._moved, self._unsent = now, unsent
        left = self._moved + self._timeout_s - now
        if left <= 0:
            self._break("upstream_timeout", "no byte within the read timeout")
        else:
            self._watch(left)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases

    def data_received(self, data: bytes) -> None:
        if self.complete:
            self._break("upstream_invalid", "bytes came that no request asked for")
            return
        self._received += len(data)
        self._moved = self._loop.time()
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break("upstream_invalid", "the answer is not valid HTTP")
            return
        except httptools.HttpParserUpgrade:
            self._break("upstream_invalid", SWITCHED)
            return
        if not self._head_done and self._head_bytes > _MAX_HEAD:
            self._break("upstream_invalid", "the answer's head is too long")
        if self.waiting > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._head_done and not self._sized and exc is None and self._broken is None:
            self.complete = True  # its end is that of the connection
        self._keep_alive = False
        self._break(*self._loss(exc))

    def _loss(self, exc: Exception | None) -> tuple[UpstreamErrorCode, str]:
        if self._received:
            return "upstream_invalid", "the answer broke off before its end"
        return "upstream_unreachable", "closed the connection without an answer"

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:  # a trailer field: it may not be merged into the head (RFC 9110, 6.5.1)
            return
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < 100:
            raise ValueError(self.status)  # to the parser, which then fails
        if 100 <= self.status < 200:
            return
        names = [name.lower() for name, _ in self.headers]
        self._sized = "content-length" in names or "transfer-encoding" in names or self.status in (204, 304)
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        if self.complete:
            return
        self._body.append(body)
        self.waiting += len(body)

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if 100 <= self.status < 200:  # an interim answer: the real one follows
            self.headers = []
            return
        self.complete = True
        self._keep_alive = self._parser.should_keep_alive()

    def on_message_begin(self) -> None:
        if self.complete:  # a second answer to one request
            self._keep_alive = False


def head_start(target: bytes, host: bytes, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of a POST without its end. Raises ValueError for a header that would not stay one line."""
    return b"POST %b HTTP/1.1\r\nhost: %b\r\n%b" % (target, host, header_lines(headers))


def header_lines(headers: Sequence[tuple[str, str]]) -> bytes:
    """Raises ValueError for a header that would not stay one line."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers]).encode()
    ends = len(headers)
    if lines.count(b"\r\n") != ends or lines.count(b"\n") != ends or lines.count(b"\r") != ends or b"\0" in lines:
        raise ValueError("a header holds a line break")
    return lines
