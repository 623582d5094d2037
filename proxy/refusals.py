"""Requests that are refused before anything is sent: told of, but not one by one."""

from collections import OrderedDict

_MINUTE_S = 60.0
_SESSIONS = 1_000


class Refusals:
    """Refused requests by session, told of once a minute."""

    def __init__(self) -> None:
        self._told: OrderedDict[int, tuple[float, int]] = OrderedDict()  # when last, and how many since

    def count(self, session_id: int, now: float) -> int:
        """One more; how many are to be told of now, 0 where it is too early."""
        last, more = self._told.pop(session_id, (-_MINUTE_S, 0))
        early = now - last < _MINUTE_S
        self._told[session_id] = (last, more + 1) if early else (now, 0)
        if len(self._told) > _SESSIONS:
            self._told.popitem(last=False)
        return 0 if early else more + 1
