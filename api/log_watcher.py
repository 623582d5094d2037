"""Watching the log of Continue for counts of tokens, and telling clients of /ws. Off by default; nothing is stored."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from api import views
from api.live_hub import Hub
from api.places import shown
from api.times import iso
from ledgers.core_log import LogMetric, LogReader
from ledgers.tailing import Tail

_EVERY_S = 1.0
_log = logging.getLogger("chronoproxy.log_watcher")


class LogWatcher:
    """`running` while it looks, `looked` once it has; `session` gives the active session, for which a metric is told,
    and its window."""

    def __init__(
        self,
        path: Path,
        hub: Hub,
        session: Callable[[], tuple[int | None, int]],
        clock: Callable[[], int],
        every_s: float = _EVERY_S,
    ) -> None:
        self._path, self._hub, self._session, self._clock, self._every_s = path, hub, session, clock, every_s
        self._tail, self._reader = Tail(path), LogReader()
        self.running = self.looked = False

    @property
    def path(self) -> str:
        return shown(self._path)

    def exists(self) -> bool:
        return os.path.isfile(self._path)

    async def run(self) -> None:
        """Until cancelled."""
        self.running, silent = True, False
        try:
            while True:
                try:
                    self.tell(await asyncio.to_thread(self._news))
                    self.looked, silent = True, False
                except OSError as error:
                    if not silent:
                        _log.error("%s cannot be read: %s", self.path, error.strerror)
                    silent = True
                await asyncio.sleep(self._every_s)
        finally:
            self.running = False

    def tell(self, metrics: list[LogMetric]) -> None:
        for metric in metrics:
            session_id, window = self._session()
            window = metric.context_length or window
            fields = {
                "source": metric.source,
                "metrics": {
                    "prompt_tokens": metric.prompt_tokens,
                    "completion_tokens": metric.completion_tokens,
                    "tools_tokens": metric.tools_tokens,
                    "system_message_tokens": metric.system_message_tokens,
                    "total_tokens": metric.total_tokens,
                    "context_length": metric.context_length,
                    "max_context": window,
                    "percentage": views.percent(metric.total_tokens, window),
                },
                "session_id": session_id,
                "timestamp": iso(self._clock()),
            }
            self._hub.say("log_metric", session_id, fields)

    def _news(self) -> list[LogMetric]:
        lines = self._tail.lines()
        found = [metric for line in lines for metric in self._reader.feed(line)]
        return [*found, *([] if lines else self._reader.end())]
