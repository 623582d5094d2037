"""Facts that the log could not take, counted until it can be told (decisions 1.15)."""

import threading

from schema.workspace import RecordingGap


class Gaps:
    """From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gap: RecordingGap | None = None

    def lost(self, count: int, now_ms: int) -> None:
        """`count` more facts are lost."""
        self.merge(RecordingGap(from_=now_ms, to=now_ms, count=count))

    def merge(self, gap: RecordingGap) -> None:
        with self._lock:
            before = self._gap or gap
            count = gap.count + (self._gap.count if self._gap is not None else 0)
            self._gap = RecordingGap(from_=min(before.from_, gap.from_), to=max(before.to, gap.to), count=count)

    def take(self) -> RecordingGap | None:
        """What was lost since the last call."""
        with self._lock:
            gap, self._gap = self._gap, None
        return gap
