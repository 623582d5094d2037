"""Indexes of the contents of the sessions that were asked for last: a long session is read once, then what is new."""

import threading
from collections import OrderedDict

from proxy.contents import ContentIndex, SessionContents
from schema.log import EventLog

_SESSIONS = 8
_REFS = 100_000  # of all of them together: about 30 MB


class ContentIndexes:
    """For any thread."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, ...], ContentIndex] = OrderedDict()

    def of(self, *sessions: int) -> SessionContents:
        """The contents of sessions that belong together, as of now."""
        with self._lock:
            index = self._kept.get(sessions) or ContentIndex(*sessions)
            self._kept[sessions] = index
            self._kept.move_to_end(sessions)
        with index.extending:
            index.extend(self._log, self._log.head())
        with self._lock:
            self._trim()
        return SessionContents(self._log, index=index)

    def _trim(self) -> None:
        """The one that was asked for last stays, if it is not too large by itself."""
        while self._kept and (len(self._kept) > _SESSIONS or self._refs() > _REFS):
            self._kept.popitem(last=False)

    def _refs(self) -> int:
        return sum(len(index.places) for index in self._kept.values())
