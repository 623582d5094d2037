"""Noticing that a client leaves while its request is answered."""

import asyncio

from proxy.intake import Receive, WhenGone, until_gone


class Departure:
    """Cancels the task that answers when the client leaves; `happened` tells that from any other cancellation. The
    server says when, where it can; else a task waits for it. Its request has been read."""

    __slots__ = ("_cancelled", "_task", "_watcher", "_when_gone", "happened")

    def __init__(self, receive: Receive, when_gone: WhenGone | None) -> None:
        self.happened = False
        self._task = asyncio.current_task()
        self._cancelled: asyncio.Task[object] | None = None
        self._when_gone, self._watcher = when_gone, None if when_gone is not None else self._watch(receive)
        if when_gone is not None:
            when_gone(self._left)

    def stop(self) -> None:
        """From here on nobody cares."""
        self._task = None
        if self._watcher is not None:
            self._watcher.cancel()
        elif self._when_gone is not None:
            self._when_gone(None)
            self._when_gone = None

    def take_back(self) -> None:
        """The cancellation has done its work: the task goes on."""
        if self._cancelled is not None:
            self._cancelled.uncancel()

    def _watch(self, receive: Receive) -> "asyncio.Task[None]":
        async def watch() -> None:
            await until_gone(receive)
            self._left()

        return asyncio.get_running_loop().create_task(watch())

    def _left(self) -> None:
        if self._task is not None:
            self.happened = True
            self._cancelled = self._task
            self._task.cancel()
