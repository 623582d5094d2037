"""The demo provider: an upstream in this process, so that a first run works without network and key.

It stands behind the same interface as the real one, errors and waiting included (contract 6, decisions 3.11).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from itertools import count as numbers

from context.tokens import TextCounter
from proxy.demo_replies import RETRY_AFTER_S, DemoRefusal, DemoRequest, Reply, decode_request, reply_to
from proxy.demo_wire import Labels, events, json_answer
from proxy.openai_errors import error_body
from proxy.upstream import UpstreamAnswer, UpstreamRequest
from proxy.upstream_errors import UpstreamError

_IN_THREAD = 65_536  # bytes of a request from which on counting its tokens would hold up other requests
_STALL_AFTER = 2  # events: the role and the first words
_JSON_START = 40  # bytes


class _DemoAnswer:
    """`stall_s`: after the pieces, wait for so many seconds to be closed, as a real upstream's silence would last."""

    __slots__ = ("_closed", "_pieces", "_stall_s", "attempts", "headers", "lost_s", "status")

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, str]],
        pieces: Iterable[bytes],
        closed: asyncio.Event,
        stall_s: float | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.attempts, self.lost_s = 1, 0.0
        self._pieces = pieces
        self._closed = closed
        self._stall_s = stall_s

    @property
    def complete(self) -> bool:
        return False

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
            await asyncio.sleep(0)  # as between two reads of a socket: others get their turn
        if self._stall_s is not None:
            await self._stall(self._stall_s)

    async def aclose(self) -> None:
        self._pieces = ()

    async def _stall(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            raise UpstreamError("upstream_timeout", "demo: no byte within the read timeout") from None
        raise UpstreamError("upstream_invalid", "demo: the answer broke off before its end")


class DemoUpstream:
    """`count` gives the tokens of a text: usage is what it says. Addresses and headers of requests are not read."""

    def __init__(self, count: TextCounter) -> None:
        self._count = count
        self._numbers = numbers(1)
        self._closed = asyncio.Event()

    async def open(self, request: UpstreamRequest) -> UpstreamAnswer:
        number = next(self._numbers)
        try:
            asked = decode_request(request.body)
            if len(request.body) > _IN_THREAD:
                reply = await asyncio.to_thread(reply_to, asked, self._count)
            else:
                reply = reply_to(asked, self._count)
        except DemoRefusal as refusal:
            return self._refused(refusal, number)
        labels = Labels(number, int(time.time()))
        stall_s = request.read_timeout_s if reply.stalls else None
        if asked.stream:
            return self._streamed(asked, reply, labels, stall_s)
        body = json_answer(reply, labels)
        headers = _headers("application/json", number, len(body))
        return _DemoAnswer(200, headers, [body if stall_s is None else body[:_JSON_START]], self._closed, stall_s)

    async def aclose(self) -> None:
        """Ends the answers that stall; they break off."""
        self._closed.set()

    def _streamed(self, asked: DemoRequest, reply: Reply, labels: Labels, stall_s: float | None) -> _DemoAnswer:
        options = asked.stream_options or {}
        pieces: Iterable[bytes] = events(reply, labels, include_usage=options.get("include_usage") is True)
        if stall_s is not None:
            pieces = list(pieces)[:_STALL_AFTER]
        return _DemoAnswer(200, _headers("text/event-stream", labels.number), pieces, self._closed, stall_s)

    def _refused(self, refusal: DemoRefusal, number: int) -> _DemoAnswer:
        body = error_body(refusal.status, refusal.message, refusal.code, refusal.param)
        headers = _headers("application/json", number, len(body))
        if refusal.status == 429:
            headers.append(("retry-after", str(RETRY_AFTER_S)))
        return _DemoAnswer(refusal.status, headers, [body], self._closed)


def _headers(content_type: str, number: int, length: int | None = None) -> list[tuple[str, str]]:
    headers = [("content-type", content_type), ("x-request-id", f"req_demo_{number}")]
    return headers if length is None else [*headers, ("content-length", str(length))]
