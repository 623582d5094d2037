"""How long somebody who does not answer is left alone."""

import time
from collections.abc import Callable

FIRST_S, LONGEST_S = 2.0, 60.0


class CoolDown:
    """Each failure in a row doubles the pause, from 2 seconds to a minute. `now` gives seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._pause, self._until = FIRST_S, now()

    @property
    def over(self) -> bool:
        """Whether it may be asked."""
        return self._now() >= self._until

    def failed(self) -> float:
        """The pause that begins, in seconds."""
        pause = self._pause
        self._until = self._now() + pause
        self._pause = min(2 * pause, LONGEST_S)
        return pause

    def worked(self) -> None:
        self._pause, self._until = FIRST_S, self._now()
