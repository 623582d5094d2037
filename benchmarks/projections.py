"""Cost of applying events to the read tables: `python -m benchmarks.projections [events]`.

Applies the same kind of history (a session renamed now and then, exchanges of growing conversations) to a new
read.sqlite: in transactions of 2,000 events as a rebuild does, and, a tenth of it, with a transaction for every event.
The events are in memory already, so that reading and decoding the log is not measured. CPU in microseconds per event is
what to compare; it is also printed for each projection alone.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from projections.applying import Progress, apply_batch
from projections.catalogue import PROJECTIONS
from projections.declaration import Projection
from projections.store import open_store
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import SessionRenamed, SessionStarted

_BATCH = 2_000
_EXCHANGES_PER_SESSION = 20


class Empty:
    """The log of a new data directory."""

    def head(self) -> int:
        return 0

    def read(self, after: int = 0, *, limit: int | None = None) -> list[Recorded]:
        return []

    def bodies(self, position: int) -> dict[str, bytes]:
        return {}


def history() -> Iterator[Event]:
    """Sessions one after another, without end."""
    exchange = session = 0
    while True:
        session += 1
        name = f"Session {session}"
        yield SessionStarted(session_id=session, name=name, provider="demo", model="demo/echo", origin="auto")
        for turn in range(_EXCHANGES_PER_SESSION):
            exchange += 1
            yield _started(session, exchange, turn)
            yield _completed(session, exchange, turn)
        yield SessionRenamed(session_id=session, from_=name, to="Renamed")


def _started(session_id: int, exchange_id: int, turn: int) -> ExchangeStarted:
    added = tuple(f"{exchange_id:032x}{number:032x}" for number in range(3))
    return ExchangeStarted(
        session_id=session_id,
        exchange_id=exchange_id,
        model_requested="demo/echo",
        model_sent="echo",
        provider="demo",
        stream=True,
        resolution=Resolution(rule="hash_chain"),
        received=MessageRefs(
            base_exchange=exchange_id - 1 if turn else None, keep=3 * turn, added=added, count=3 * turn + 3, tokens=900
        ),
        envelope_ref="e" * 64,
        preview="what the user typed " * 3,
    )


def _completed(session_id: int, exchange_id: int, turn: int) -> ExchangeCompleted:
    return ExchangeCompleted(
        session_id=session_id,
        exchange_id=exchange_id,
        usage=Usage(source="measured", prompt_tokens=900 * turn, completion_tokens=200, total_tokens=900 * turn + 200),
        answer_ref="a" * 64,
        finish_reason="stop",
        http_status=200,
        timings=Timings(overhead_ms=0.4, ttft_ms=310.0, duration_ms=2_500.0),
        model_answered="echo",
    )


def recorded(count: int) -> list[Recorded]:
    """The first `count` events of the history, one per millisecond."""
    return [_recorded(event, position) for position, event in zip(range(1, count + 1), history(), strict=False)]


def _recorded(event: Event, position: int) -> Recorded:
    return Recorded(
        position=position,
        stream="",
        version=1,
        type=type(event).__name__,
        type_version=1,
        session_id=getattr(event, "session_id", None),
        exchange_id=getattr(event, "exchange_id", None),
        timestamp=1_700_000_000_000 + position,
        actor="proxy",
        by="bench",
        correlation_id=f"{position:032x}",
        causation_position=None,
        hash=f"{position:064x}",
        prev_hash=f"{position - 1:064x}",
        event=event,
    )


def measure(projections: Sequence[Projection], events: Sequence[Recorded], batch: int) -> float:
    """CPU microseconds per event of applying `events` to new tables, `batch` events in each transaction."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "read.sqlite", projections, Empty())
        progress = [Progress(projection, 0) for projection in projections]
        begun = time.process_time()
        for first in range(0, len(events), batch):
            apply_batch(store.db, progress, events[first : first + batch])
        spent = time.process_time() - begun
        store.close()
    return spent / len(events) * 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    events = recorded(count)
    batched = measure(PROJECTIONS, events, _BATCH)
    single = measure(PROJECTIONS, events[: max(count // 10, 1)], 1)
    lines = [
        f"{count:,} events, {_BATCH:,} in a transaction: {batched:.1f} us CPU per event",
        f"one transaction for every event: {single:.1f} us CPU per event, {single / batched:.1f} times as much",
        *(f"  {each.name} alone: {measure([each], events, _BATCH):.1f} us" for each in PROJECTIONS),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
