"""What waits for the writer: bounded in bytes, kept in order."""

import threading
from collections import deque
from typing import NamedTuple

from schema.appends import Append, Done

_GROUP = 512
_MAX_BYTES = 64 << 20


class Entry(NamedTuple):
    """`weight` in bytes."""

    append: Append
    done: Done | None
    weight: int


class AppendQueue:
    """Usable from any thread; one thread takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._taken = 0
        self._singly = 0
        self._closed = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being committed."""
        with self._lock:
            return not self._entries and not self._taken

    def offer(self, entry: Entry) -> bool:
        """Take it in at the end; False when 64 MiB wait already or the queue is closed."""
        with self._lock:
            if self._closed or self._bytes >= _MAX_BYTES:
                return False
            self._entries.append(entry)
            self._bytes += entry.weight
            return True

    def take(self) -> list[Entry]:
        """The next group; asking for it also says that the last one is dealt with."""
        with self._lock:
            limit = 1 if self._singly else _GROUP
            self._singly = max(self._singly - 1, 0)
            entries = [self._entries.popleft() for _ in range(min(limit, len(self._entries)))]
            self._bytes -= sum(entry.weight for entry in entries)
            self._taken = len(entries)
            return entries

    def finished(self) -> None:
        """The group that was taken is dealt with."""
        with self._lock:
            self._taken = 0

    def put_back(self, entries: list[Entry], *, singly: bool = False) -> None:
        """Back to the front, in their order; `singly` has them taken one at a time."""
        with self._lock:
            self._entries.extendleft(reversed(entries))
            self._bytes += sum(entry.weight for entry in entries)
            self._singly = len(entries) if singly else 0

    def close(self) -> None:
        """Take nothing in any more."""
        with self._lock:
            self._closed = True
