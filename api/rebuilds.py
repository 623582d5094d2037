"""Making the read tables anew under a running server: one at a time, in a thread, while reads go on."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from api.errors import ApiError
from projections.catalogue import PROJECTIONS
from projections.rebuilding import Comparison, build, catch_up, compare, new_path
from projections.rebuilding import Rebuilt as Built
from projections.runner import Runner
from projections.store import ReadPool
from projections.waiting import Waiter
from schema.log import EventLog

_BEHIND_S = 600.0  # the tables in use may be as far behind as they like, but not for ever
NAMES = tuple(projection.name for projection in PROJECTIONS)


class Rebuilt(msgspec.Struct, frozen=True):
    """`equal` compares the tables of the same position; `checksum` is over those that took their place."""

    events: int
    duration_ms: int
    equal: bool
    checksum: str


class Rebuilds:
    """`progress` is the share that is done of the one under way, else None; `last` is when the last one ended, in ms
    since the epoch."""

    def __init__(
        self, log: EventLog, runner: Runner, waiter: Waiter, reads: ReadPool, path: Path, clock: Callable[[], int]
    ) -> None:
        self._log, self._runner, self._waiter, self._reads = log, runner, waiter, reads
        self._path, self._clock = path, clock
        self._running = threading.Lock()
        self.progress: float | None = None
        self.last: int | None = None

    def refuse_second(self) -> None:
        """Raises ApiError 409 while one runs."""
        if self.running:
            raise ApiError(409, "rebuild_running", "The read tables are being made anew already.")

    async def run(self) -> Rebuilt:
        """Raises ApiError 409 while another one runs, and PoisonedRebuildError and ProjectionLagError."""
        self.refuse_second()
        self._running.acquire()
        begun = time.monotonic()
        try:
            built = await asyncio.to_thread(build, new_path(self._path), PROJECTIONS, self._log, self._progressed)
            await self._waiter.until(built.position, _BEHIND_S)
            found, newest = await asyncio.to_thread(self._compared, built)
            await asyncio.wrap_future(self._runner.adopt(newest, self._reads.swap))
            self.last = self._clock()
            checksum = ",".join(f"{name}={value}" for name, value in found.checksums.items())
            return Rebuilt(found.position, round((time.monotonic() - begun) * 1_000), found.equal, checksum)
        finally:
            self.progress = None
            self._running.release()

    @property
    def running(self) -> bool:
        return self._running.locked()

    def _compared(self, built: Built) -> tuple[Comparison, Built]:
        """In a thread of its own, so that events are shown meanwhile; the new file is nearly up to date afterwards."""
        found, head = compare(built, self._path, PROJECTIONS, self._log), self._log.head()
        catch_up(built.path, PROJECTIONS, self._log, head)
        return found, Built(built.path, head)

    def _progressed(self, done: int, total: int) -> None:
        self.progress = done / total if total else 1.0
