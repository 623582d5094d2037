"""How many completions came in during the last 60 seconds."""

from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0


class RequestRate:
    """Counts only; `clock` gives seconds that never run backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque()

    def count(self) -> None:
        now = self._clock()
        self._times.append(now)
        if self._times[0] <= now - WINDOW_S:
            self._expire(now)

    def counted(self, ago_s: float) -> None:
        """One that came so many seconds ago; the older ones first."""
        self._times.append(self._clock() - ago_s)

    def current(self) -> int:
        """Requests per minute, now."""
        self._expire(self._clock())
        return len(self._times)

    def _expire(self, now: float) -> None:
        while self._times and self._times[0] <= now - WINDOW_S:
            self._times.popleft()
