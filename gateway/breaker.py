"""A server that keeps failing is left alone for a while: after five failures in a row its calls are refused for 30 s,
then one is let through to see. Only failures of the server count; what its tools say is their business."""

from collections.abc import Callable

FAILURES = 5
OPEN_S = 30.0


class Breaker:
    """Of one server; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float], *, failures: int = FAILURES, open_s: float = OPEN_S) -> None:
        self._clock = clock
        self._most, self._open_s = failures, open_s
        self._since: float | None = None
        self._probing = False
        self.failures = 0

    @property
    def is_open(self) -> bool:
        return self._since is not None

    def refused_for(self) -> float | None:
        """Seconds until a call is let through, None where this one is: then say how it went."""
        if self._since is None:
            return None
        left = self._since + self._open_s - self._clock()
        if left > 0:
            return left
        if self._probing:
            return 1.0
        self._probing = True
        return None

    def succeeded(self) -> None:
        self.failures, self._since, self._probing = 0, None, False

    def failed(self) -> bool:
        """Whether this failure opened it."""
        self.failures += 1
        self._probing = False
        if self._since is None and self.failures < self._most:
            return False
        self._since = self._clock()
        return True

    def abandoned(self) -> None:
        """The caller left before it was known how the call went."""
        self._probing = False
