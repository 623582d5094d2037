"""Whether a completion may go on now: limits of all, of its provider, and of the client's key.

`observe` counts only, `enforce` refuses, `wait` lets requests queue for a while: in the order in which they came, each
client its share (rate_window.py). Runs on the event loop.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from proxy.intake import ClientGoneError, Receive, until_gone
from proxy.openai_errors import LimitRefusal
from proxy.rate_window import Client, Window

Mode = Literal["observe", "enforce", "wait"]
MOST_WAITING = 1_000


class Used(msgspec.Struct, frozen=True):
    """A limit and how far it is used: requests of the last minute."""

    name: str
    current_rpm: int
    max_rpm: int


class _Waiting(msgspec.Struct, eq=False):
    client: Client
    windows: Sequence[Window]
    admitted: "asyncio.Future[None]"


class Limiter:
    """`everyone` is the limit of all requests together; `providers` and `keys` are those that have one of their own."""

    def __init__(
        self,
        mode: Mode,
        everyone: Window | None,
        providers: Mapping[str, Window],
        keys: Mapping[str, Window],
        *,
        max_wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._mode: Mode = mode
        self._everyone, self._providers, self._keys = everyone, providers, keys
        self._max_wait_s, self._clock = max_wait_s, clock
        self._queue: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def used(self) -> list[Used]:
        """Every limit."""
        now = self._clock()
        windows = (*([self._everyone] if self._everyone else []), *self._providers.values(), *self._keys.values())
        return [Used(window.name, window.used(now), window.limit) for window in windows]

    async def enter(self, client: Client, provider: str, key: str | None, receive: Receive) -> None:
        """Take a place for a request to `provider`. Waits where the mode says so; raises LimitRefusal, and
        ClientGoneError for a client that did not wait."""
        windows, now = self._windows(provider, key), self._clock()
        for window in windows:
            window.ask(client, now)
        if self._entered(client, windows, now):
            return
        if self._mode != "wait" or len(self._queue) >= MOST_WAITING:
            raise self._refusal(client, windows)
        waiting = _Waiting(client, windows, asyncio.get_running_loop().create_future())
        if not await self._admitted(waiting, receive):
            raise self._refusal(client, windows)

    def entered(self, client: Client, provider: str, key: str | None, ago_s: float) -> None:
        """A request of an earlier run that came so many seconds ago; the older ones first."""
        for window in self._windows(provider, key):
            window.take(client, self._clock() - ago_s)

    def again(self, client: Client, provider: str) -> bool:
        """Take a place for one more request to `provider` on behalf of a request that has entered; False where there is
        none."""
        window, now = self._providers.get(provider), self._clock()
        if window is None:
            return True
        if self._mode != "observe" and not window.admits(client, now):
            return False
        window.take(client, now)
        return True

    def leave(self, client: Client, provider: str, key: str | None) -> None:
        """The request did not go on: give its place back."""
        for window in self._windows(provider, key):
            window.give_back(client)
        self._serve()

    def _windows(self, provider: str, key: str | None) -> list[Window]:
        found = (self._everyone, self._providers.get(provider), self._keys.get(key) if key is not None else None)
        return [window for window in found if window is not None]

    def _entered(self, client: Client, windows: Sequence[Window], now: float) -> bool:
        self._serve()  # whoever waits came first
        if self._mode != "observe" and not all(window.admits(client, now) for window in windows):
            return False
        for window in windows:
            window.take(client, now)
        return True

    async def _admitted(self, waiting: _Waiting, receive: Receive) -> bool:
        """Wait for a place, for as long as it is worth while. Raises ClientGoneError."""
        gone = asyncio.get_running_loop().create_task(until_gone(receive))
        self._queue.append(waiting)
        self._schedule()
        try:
            both = {gone, waiting.admitted}
            await asyncio.wait(both, timeout=self._max_wait_s, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ClientGoneError
            return waiting.admitted.done()
        except (asyncio.CancelledError, ClientGoneError):
            self._gave_up(waiting)
            raise
        finally:
            gone.cancel()
            if waiting in self._queue:
                self._queue.remove(waiting)

    def _gave_up(self, waiting: _Waiting) -> None:
        if waiting.admitted.done():
            for window in waiting.windows:
                window.give_back(waiting.client)
            self._serve()

    def _serve(self) -> None:
        """Let in who waits, first come, first served, as far as there are places."""
        if not self._queue:
            return
        now, left = self._clock(), []
        for waiting in self._queue:
            if all(window.admits(waiting.client, now) for window in waiting.windows):
                for window in waiting.windows:
                    window.take(waiting.client, now)
                waiting.admitted.set_result(None)
            else:
                left.append(waiting)
        self._queue = left
        self._schedule()

    def _schedule(self) -> None:
        """Look again when a place may have become free."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        windows = {id(window): window for waiting in self._queue for window in waiting.windows}
        changes = [change for window in windows.values() if (change := window.next_change()) is not None]
        if changes:
            delay = max(min(changes) - self._clock(), 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay, self._serve)

    def _refusal(self, client: Client, windows: Sequence[Window]) -> LimitRefusal:
        now = self._clock()
        for each in windows:
            if each.admits(client, now):
                each.forget(client)  # no place is kept for it where there was one
        window = max(windows, key=lambda each: each.opens_in(client, now))
        seconds = max(math.ceil(window.opens_in(client, now)), 1)
        left = max(window.limit - window.used(now), 0)
        text = f"The limit of {window.limit:,} requests a minute ({window.name}) is reached; try again in {seconds} s."
        return LimitRefusal(
            text,
            "rate_limit_exceeded",
            scope=window.name,
            limit=window.limit,
            headers=(
                (b"retry-after", b"%d" % seconds),
                (b"x-ratelimit-limit-requests", b"%d" % window.limit),
                (b"x-ratelimit-remaining-requests", b"%d" % left),
                (b"x-ratelimit-reset-requests", b"%ds" % seconds),
            ),
        )
