"""Making the read tables anew under a running server: one at a time, in a thread, while reads go on."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from api.errors import ApiError
from projections.catalogue import PROJECTIONS
from projections.rebuilding import build, checksums, new_path
from projections.runner import Runner
from projections.store import ReadPool
from schema.log import EventLog

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

    def __init__(self, log: EventLog, runner: Runner, reads: ReadPool, path: Path, clock: Callable[[], int]) -> None:
        self._log, self._runner, self._reads, self._path, self._clock = log, runner, reads, path, clock
        self._running = threading.Lock()
        self.progress: float | None = None
        self.last: int | None = None

    def refuse_second(self) -> None:
        """Raises ApiError 409 while one runs."""
        if self.running:
            raise ApiError(409, "rebuild_running", "The read tables are being made anew already.")

    async def run(self) -> Rebuilt:
        """Raises ApiError 409 while another one runs."""
        self.refuse_second()
        self._running.acquire()
        try:
            return await asyncio.to_thread(self._run)
        finally:
            self.progress = None
            self._running.release()

    @property
    def running(self) -> bool:
        return self._running.locked()

    def _run(self) -> Rebuilt:
        begun = time.monotonic()
        built = build(new_path(self._path), PROJECTIONS, self._log, self._progressed)
        equal = self._runner.adopt(built, self._reads.swap).result()
        self.last = self._clock()
        checksum = ",".join(f"{name}={value}" for name, value in checksums(self._path).items())
        return Rebuilt(built.position, round((time.monotonic() - begun) * 1_000), equal, checksum)

    def _progressed(self, done: int, total: int) -> None:
        self.progress = done / total if total else 1.0
