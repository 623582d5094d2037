"""Asking again where a provider fails, and then another provider, before anything went to the client.

Only for routes that the configuration says it of. What is asked is the same request, with the other model's own name
and the other provider's own key. The last failure is the client's answer, as it came.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email.utils import parsedate_to_datetime

import msgspec

from proxy.envelope import EnvelopeError
from proxy.finishing import Elsewhere, Ending
from proxy.forwarding import Anew, forward_anew
from proxy.providers import Retry, Route
from proxy.running import Incoming, Running
from proxy.tries import calls
from proxy.upstream import Upstream, UpstreamAnswer, UpstreamRequest
from proxy.upstream_errors import UpstreamError
from schema.exchanges import Try

Request = Callable[[Incoming, bytes, Route], UpstreamRequest]
_ONCE = Retry(attempts=1)
_STATUS = {"upstream_timeout": 504}  # an answer of ours where there was none: else 502


class Opened(msgspec.Struct, frozen=True):
    """The answer that counts, of which route, and whether usage was asked for there."""

    answer: UpstreamAnswer
    route: Route
    injected: bool


class _Begun:
    """An answer whose first bytes are there already. `attempts` counts the connections of all tries."""

    complete = False  # as far as is known

    def __init__(self, answer: UpstreamAnswer, chunks: AsyncIterator[bytes], first: bytes, attempts: int) -> None:
        self._answer, self._chunks, self._first = answer, chunks, first
        self.status, self.headers, self.attempts = answer.status, answer.headers, attempts
        self.lost_s = answer.lost_s

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._first:
            yield self._first
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


class Retrier:
    """`upstream` chooses the client, `request` makes what it sends; `may_ask` says whether one more request may go to a
    provider now, on behalf of that request; `wall` is seconds since the epoch."""

    def __init__(
        self,
        upstream: Callable[[Route], Upstream],
        request: Request,
        may_ask: Callable[[Incoming, str], bool],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._upstream, self._request, self._may_ask = upstream, request, may_ask
        self._sleep, self._wall = sleep, wall

    async def open(
        self, incoming: Incoming, running: Running, route: Route, ending: Ending, *, injected: bool
    ) -> Opened:
        """As Upstream.open, as often as it pays. `ending` is told of each try. Raises UpstreamError."""
        run = _Run(self, incoming, running, ending, injected)
        try:
            for each in (route, *(other for other in route.fallbacks if other.max_context >= running.tokens)):
                if run.tries and not run.goes_to(each):
                    continue
                if await run.asked(each):
                    break
        except BaseException:
            await run.aclose()
            raise
        return run.outcome()

    async def call(self, incoming: Incoming, body: bytes, route: Route) -> UpstreamAnswer:
        return await self._upstream(route).open(self._request(incoming, body, route))

    def may_ask(self, incoming: Incoming, route: Route) -> bool:
        return self._may_ask(incoming, route.provider.key)

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)

    def asked_to_wait(self, answer: UpstreamAnswer) -> float | None:
        """Seconds, of Retry-After."""
        heads = {name.lower(): value for name, value in answer.headers}
        return retry_after(heads, self._wall())


class _Run:
    """The tries of one request. `held` is the last one's failure until there is another outcome."""

    def __init__(self, retrier: Retrier, incoming: Incoming, running: Running, ending: Ending, injected: bool) -> None:
        self._retrier, self._incoming, self._running, self._ending = retrier, incoming, running, ending
        self._body, self._injected = running.body, injected
        self._attempts = 0
        self._route: Route | None = None
        self._held: UpstreamAnswer | UpstreamError | None = None
        self.tries: list[Try] = ending.tries

    def goes_to(self, route: Route) -> bool:
        """Make the request that of another provider, where it may be asked."""
        try:
            anew: Anew = forward_anew(self._incoming, self._running.body, route)
        except EnvelopeError:
            return False
        held = self._running.reserved
        if held is not None and not held.affords(route):
            return False
        if not self._retrier.may_ask(self._incoming, route):
            return False
        if held is not None:
            held.change(route)
        self._body, self._injected = anew.body, anew.injected
        self._ending.elsewhere = Elsewhere(route.provider.key, route.upstream_model, anew.envelope)
        return True

    async def asked(self, route: Route) -> bool:
        """Ask as often as its provider's settings say; False where it failed each time."""
        retry = route.provider.retry or _ONCE
        for number, pause in enumerate(retry.pauses()):
            waited = await self._waited(retry, pause, route) if number else 0.0
            if waited is None:
                return False
            if await self._tried(route, retry, waited):
                return True
        return False

    def outcome(self) -> Opened:
        answer = self._held
        if isinstance(answer, UpstreamError):
            raise UpstreamError(answer.code, answer.message, self._attempts)
        if answer is None or self._route is None:
            raise LookupError("nobody was asked")
        if not isinstance(answer, _Begun):
            answer = _Begun(answer, answer.chunks(), b"", self._attempts)
        return Opened(answer, self._route, self._injected)

    async def _waited(self, retry: Retry, pause: float, route: Route) -> float | None:
        """Seconds; None where the provider wants us to wait longer than we would, or may not be asked again."""
        asked = self._retrier.asked_to_wait(self._held) if not isinstance(self._held, UpstreamError | None) else None
        seconds = pause if asked is None else asked
        if seconds > retry.max_wait_s:
            return None
        await self._retrier.sleep(seconds)
        return seconds if self._retrier.may_ask(self._incoming, route) else None

    async def _tried(self, route: Route, retry: Retry, waited_s: float) -> bool:
        """True where this is the outcome, whatever it is."""
        await self._release()
        began, ending, self._route = time.perf_counter(), self._ending, route
        ending.http_status, ending.reached, code = None, True, None
        attempts, lost_s = 1, 0.0
        try:
            answer = await self._retrier.call(self._incoming, self._body, route)
            attempts, lost_s = answer.attempts, answer.lost_s
            self._attempts += attempts
            self._held, ending.http_status = answer, answer.status
            if answer.status < 400:
                self._held = await _begun(answer, self._attempts)
        except UpstreamError as error:
            if self._held is None:
                attempts, lost_s = error.attempts, error.lost_s
                self._attempts += attempts
            await self._release()
            self._held, code = error, error.code
            ending.reached = code == "upstream_timeout"
        took_s, status = time.perf_counter() - began, ending.http_status
        self.tries += calls(route, attempts, lost_s, took_s, waited_s=waited_s, http_status=status, error_code=code)
        return (status if code is None else _STATUS.get(code, 502)) not in retry.on

    async def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None and not isinstance(held, UpstreamError):
            await held.aclose()

    async def aclose(self) -> None:
        await self._release()


async def _begun(answer: UpstreamAnswer, attempts: int) -> UpstreamAnswer:
    """With its first bytes. Raises UpstreamError where they do not come."""
    chunks = answer.chunks()
    async for first in chunks:
        return _Begun(answer, chunks, first, attempts)
    return _Begun(answer, chunks, b"", attempts)


def retry_after(heads: "dict[str, str]", now: float) -> float | None:
    """Seconds to wait, of `retry-after-ms` or `retry-after` (seconds, or a date); None where neither makes sense."""
    return next(_waits(heads, now), None)


def _waits(heads: "dict[str, str]", now: float) -> Iterator[float]:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = heads.get(name, "").strip()
        if text.isascii() and text.replace(".", "", 1).isdigit():
            yield float(text) * unit
    try:
        yield max(parsedate_to_datetime(heads.get("retry-after", "")).timestamp() - now, 0.0)
    except (ValueError, TypeError, OverflowError):
        return
