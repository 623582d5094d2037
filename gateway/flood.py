"""How much a program may say that nobody has asked it for. Pure: the clock comes in."""

from collections.abc import Callable

LINES, SIZE = 10_000, 128 << 20  # in each window
WINDOW_S = 10.0


class Flood:
    """`clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._lines = self._size = 0

    def heard(self, size: int) -> bool:
        """One message of `size` bytes more; whether it was too many, or too much."""
        now = self._clock()
        if now - self._since >= WINDOW_S:
            self._since, self._lines, self._size = now, 0, 0
        self._lines += 1
        self._size += size
        return self._lines > LINES or self._size > SIZE
