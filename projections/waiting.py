"""Waiting until the read tables have reached a position: from any event loop, without polling."""

import asyncio
import heapq
import threading

import msgspec

_SLACK = 64  # entries that nobody waits for any more stay in the heap until they are this many more than the others


class ProjectionLagError(Exception):
    """The read tables did not reach `position` in time."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the read tables have not reached event {position} yet")
        self.position = position


class _Waiting(msgspec.Struct, frozen=True):
    position: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[bool]


class Waiter:
    """Resolved by the runner's thread. `wanted` is set while somebody waits, so that the runner does not linger."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self._lock = threading.Lock()
        self._position = 0
        self._missed: int | None = None
        self._closed = False
        self._number = 0
        self._waiting: dict[int, _Waiting] = {}
        self._heap: list[tuple[int, int]] = []

    async def until(self, position: int, timeout_s: float = 2.0) -> None:
        """Return once the read tables hold event `position`. Raises ProjectionLagError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        number = self._enter(_Waiting(position, loop, future))
        if number is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                reached = await future
        except TimeoutError:
            self._miss(position)
            raise ProjectionLagError(position) from None
        finally:
            self._leave(number)
        if not reached:
            raise ProjectionLagError(position)

    @property
    def missed(self) -> int | None:
        """The first position that somebody has waited for in vain, and that is not reached yet. There may be no such
        event: clients ask for what they like."""
        return self._missed

    def anybody(self) -> bool:
        """Whether somebody waits now."""
        return bool(self._waiting)

    def reached(self, position: int) -> None:
        """The rows of event `position` and of all before it are committed. Called by the runner's thread."""
        with self._lock:
            self._position = max(self._position, position)
            if self._missed is not None and self._missed <= self._position:
                self._missed = None
            done = self._due()
        _resolve(done, True)

    def begin_again(self) -> None:
        """The tables hold nothing any more: whoever comes now waits until they hold it again."""
        with self._lock:
            self._position = 0

    def close(self) -> None:
        """Nothing more will be reached: whoever waits, now or later, gets ProjectionLagError at once."""
        with self._lock:
            self._closed = True
            left = list(self._waiting.values())
            self._waiting.clear()
            self._heap.clear()
        _resolve(left, False)

    def _miss(self, position: int) -> None:
        with self._lock:
            if position > self._position:
                self._missed = min(position, self._missed or position)

    def _enter(self, waiting: _Waiting) -> int | None:
        """Register; None where the position has been reached. Raises ProjectionLagError when closed."""
        with self._lock:
            if waiting.position <= self._position:
                return None
            if self._closed:
                raise ProjectionLagError(waiting.position)
            self._number += 1
            self._waiting[self._number] = waiting
            heapq.heappush(self._heap, (waiting.position, self._number))
            number = self._number
        self.wanted.set()
        return number

    def _leave(self, number: int) -> None:
        with self._lock:
            self._waiting.pop(number, None)
            if len(self._heap) > 2 * len(self._waiting) + _SLACK:
                self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
                heapq.heapify(self._heap)

    def _due(self) -> list[_Waiting]:
        due: list[_Waiting] = []
        while self._heap and self._heap[0][0] <= self._position:
            waiting = self._waiting.pop(heapq.heappop(self._heap)[1], None)
            if waiting is not None:
                due.append(waiting)
        return due


def _resolve(done: list[_Waiting], reached: bool) -> None:
    """Wake each loop once. A loop that was closed has nobody left to wake."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for waiting in done:
        loops.setdefault(waiting.loop, []).append(waiting.future)
    for loop, futures in loops.items():
        try:
            loop.call_soon_threadsafe(_set, futures, reached)
        except RuntimeError:
            continue


def _set(futures: list[asyncio.Future[bool]], reached: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(reached)
