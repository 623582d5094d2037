"""Making the read tables anew under a running server: one at a time, in a process of their own, while reads go on."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from api.errors import ApiError
from api.rebuild_child import rebuild_child
from projections.catalogue import PROJECTIONS
from projections.rebuilding import Comparison, checksum_text, new_path, remove
from projections.rebuilding import Rebuilt as Built
from projections.runner import Runner
from projections.store import ReadPool
from projections.waiting import Waiter

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

    def __init__(self, runner: Runner, waiter: Waiter, reads: ReadPool, path: Path, clock: Callable[[], int]) -> None:
        self._runner, self._waiter, self._reads = runner, waiter, reads
        self._path, self._clock = path, clock
        self._running = threading.Lock()
        self.progress: float | None = None
        self.last: int | None = None

    def refuse_second(self) -> None:
        """Raises ApiError 409 while one runs."""
        if self.running:
            raise ApiError(409, "rebuild_running", "The read tables are being made anew already.")

    async def run(self) -> Rebuilt:
        """Raises ApiError 409 while another one runs.

        And PoisonedRebuildError, RebuildFailedError and ProjectionLagError.
        """
        self.refuse_second()
        self._runner.look()  # where the tables in use are gone, these are made first
        self._running.acquire()
        begun = time.monotonic()
        try:
            found, newest = await self._made()
            await asyncio.wrap_future(self._runner.adopt(newest, self._reads.swap))
            self.last = self._clock()
            checksum = checksum_text(found.checksums)
            return Rebuilt(found.position, round((time.monotonic() - begun) * 1_000), found.equal, checksum)
        finally:
            self.progress = None
            self._running.release()

    async def _made(self) -> tuple[Comparison, Built]:
        """What was found in comparing, and the new file, which nobody has open."""
        new = new_path(self._path)
        try:
            async with rebuild_child(self._path.parent, self._progressed) as child:
                await self._waiter.until((await child.built()).position, _BEHIND_S)
                compared = await child.compared()
        except BaseException:
            remove(new)
            raise
        return compared.found, Built(new, compared.position)

    @property
    def running(self) -> bool:
        return self._running.locked()

    def _progressed(self, done: int, total: int) -> None:
        self.progress = done / total if total else 1.0
