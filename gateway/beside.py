"""Work of tools beside the event loop, a few at once. A thread cannot be stopped: it keeps its place until it ends by
itself, also when the caller has left, so that nobody fills the machine with calls that nobody waits for."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Beside:
    """At most `at_once` pieces of work, whose own limits make them end."""

    def __init__(self, at_once: int) -> None:
        self._room = asyncio.Semaphore(at_once)

    async def run(self, work: Callable[[], T]) -> T:
        """Raises what the work raises."""
        await self._room.acquire()
        future = asyncio.get_running_loop().run_in_executor(None, work)
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    def _ended(self, future: "asyncio.Future[T]") -> None:
        self._room.release()
        if not future.cancelled():
            future.exception()  # of a caller who has left: seen, and of no interest
