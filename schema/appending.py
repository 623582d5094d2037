"""The writer as an event loop sees it."""

import asyncio
from collections.abc import Callable

from schema.appends import Append, Committed, Done, Result
from schema.chores import Work
from schema.configured_secrets import ConfiguredSecrets
from schema.log import EventLog
from schema.writer import BUSY_TIMEOUT_S, Listener, LogWriter

_RIDE_ALONG_S = 0.01


class Appender:
    """Submits to the writer from the event loop that it was made in; results come back to that loop."""

    def __init__(
        self, log: EventLog, *, busy_timeout_s: float = BUSY_TIMEOUT_S, secrets: ConfiguredSecrets | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = LogWriter(log, settle=self._settle, busy_timeout_s=busy_timeout_s, secrets=secrets)
        self._timer: asyncio.TimerHandle | None = None
        self._waking = False

    def start(self, *listeners: Listener) -> None:
        for listener in listeners:
            self._writer.subscribe(listener)
        self._writer.start()

    @property
    def trouble(self) -> str | None:
        """Why the last commit failed; None while commits succeed."""
        return self._writer.trouble

    def lost(self, count: int) -> None:
        """`count` facts are given up, because what they belong to was refused."""
        self._writer.lost(count)

    @property
    def idle(self) -> bool:
        """Whether the log holds all that was submitted and not refused."""
        return self._writer.idle

    def append(self, append: Append, refused: Callable[[], None] | None = None) -> "asyncio.Future[Committed]":
        """The future fails with StoreUnavailableError, VersionConflictError or UnstorableError; `refused` is called
        then, and nobody else needs to ask. The writer is woken once for all that this turn of the loop appends."""
        future: asyncio.Future[Committed] = self._loop.create_future()

        def done(result: Result) -> None:
            if future.done():
                return
            if isinstance(result, Exception):
                future.set_exception(result)
                if refused is not None:
                    future.exception()  # looked at
                    refused()
            else:
                future.set_result(result)

        self._writer.submit(append, done, wake=False)
        if not self._waking:
            self._waking = True
            self._loop.call_soon(self._wake)
        return future

    def append_later(self, append: Append) -> None:
        """Nobody waits for it: it rides along with the next group, within 10 ms."""
        self._writer.submit(append, wake=False)
        if self._timer is None:
            self._timer = self._loop.call_later(_RIDE_ALONG_S, self._ride)

    async def between(self, work: Work) -> None:
        """Do `work` on the log's connection between two commits. Raises what it raises."""
        await asyncio.wrap_future(self._writer.between(work))

    async def close(self) -> None:
        """Commit what is queued and stop the thread."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.to_thread(self._writer.close)

    def _wake(self) -> None:
        self._waking = False
        self._writer.wake()

    def _ride(self) -> None:
        self._timer = None
        self._writer.wake()

    def _settle(self, results: list[tuple[Done, Result]]) -> None:
        self._loop.call_soon_threadsafe(_call_all, results)


def _call_all(results: list[tuple[Done, Result]]) -> None:
    for done, result in results:
        done(result)
