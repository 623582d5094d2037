"""A rebuild of the read tables, and other reads of a long log: `python -m benchmarks.projections_rebuild [events]`.

Writes a log of so many events (default 100,000) through the real writer; then decodes it, rebuilds read.sqlite from it,
loads a session of 10,000 events, verifies it, and measures how long a reader waits for its own write. CPU of the whole
process in microseconds per event is what to compare, beside the same rebuild with a transaction for every event, as a
projection runner of the event sourcing library makes it.
"""

import asyncio
import gc
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import msgspec
from uvloop import new_event_loop

from benchmarks.projections import history
from projections.applying import Progress, apply_batch
from projections.catalogue import PROJECTIONS
from projections.rebuilding import build, checksums
from projections.runner import Runner
from projections.store import open_store
from projections.waiting import Waiter
from proxy.contents import SessionContents
from schema.appending import Appender
from schema.appends import Append
from schema.exchanges import ExchangeStarted, Finished
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent
from schema.registry import Event
from schema.sessions import SessionStarted
from schema.verification import Verifier

_META = Metadata(actor="proxy", by="bench", correlation_id="0" * 32)
_GROUP = 500
_LONG_SESSION = 10_000
_WRITERS = 64
_SHARE = 20  # of the events are applied one by one: that is slow


def _new(event: Event) -> NewEvent:
    number = event.exchange_id if isinstance(event, ExchangeStarted | Finished) else None
    return NewEvent("workspace" if number is None else f"exchange-{number}", event)


def long_session(first_exchange: int) -> Iterator[Event]:
    """One session with half as many exchanges as it shall have events."""
    for event in itertools.islice(history(), 1, 1 + _LONG_SESSION):
        if isinstance(event, ExchangeStarted | Finished):
            number = first_exchange + event.exchange_id
            yield msgspec.structs.replace(event, session_id=1_000_000, exchange_id=number)


async def write(appender: Appender, events: Iterator[Event]) -> None:
    while group := list(itertools.islice(events, _GROUP)):
        await appender.append(Append(events=[_new(event) for event in group], metadata=_META, keep=True))


async def own_writes(appender: Appender, waiter: Waiter) -> list[float]:
    """Milliseconds from a durable append until the read tables show it, for 64 writers at once."""
    waits: list[float] = []

    async def one(number: int) -> None:
        for turn in range(20):
            begun = time.perf_counter()
            session = 2_000_000 + number * 100 + turn
            event = SessionStarted(session_id=session, name="mine", provider="demo", origin="manual")
            committed = await appender.append(Append(events=[_new(event)], metadata=_META, durable=True))
            await waiter.until(committed.head)
            waits.append((time.perf_counter() - begun) * 1_000)

    await asyncio.gather(*(one(number) for number in range(_WRITERS)))
    return sorted(waits)


async def run(directory: Path, count: int) -> list[str]:
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    appender = Appender(log)
    store, waiter = open_store(directory / "read.sqlite", PROJECTIONS, log), Waiter()
    runner = Runner(store, PROJECTIONS, log, waiter)
    appender.start(runner.feed)
    await write(appender, itertools.islice(history(), count))
    await write(appender, long_session(count))
    lines = _measured(directory, log, count)
    runner.start()
    await asyncio.to_thread(runner.wait_ready, 600)
    waits = await own_writes(appender, waiter)
    late = waits[int(len(waits) * 0.99)]
    lines.append(f"read your write, 64 at once: p50 {median(waits):.1f} ms, p99 {late:.1f} ms (goal <= 40)")
    await appender.close()
    runner.stop()
    store.close()
    log.close()
    keys.close()
    return lines


def _measured(directory: Path, log: EventLog, count: int) -> list[str]:
    decoding, _ = _cost(lambda: sum(1 for _ in log.scan()))
    path = directory / "rebuilt.sqlite"
    gc.disable()  # as the process of a rebuild does
    rebuilding, seconds = _cost(lambda: build(path, PROJECTIONS, log, lambda done, total: None))
    gc.enable()
    again = directory / "again.sqlite"
    build(again, PROJECTIONS, log, lambda done, total: None)
    single, _ = _cost(lambda: _one_by_one(directory / "single.sqlite", log, count // _SHARE))
    _, session = _cost(lambda: SessionContents(log, 1_000_000))
    verifying, _ = _cost(lambda: Verifier(log).run())
    head = log.head()
    return [
        f"{head:,} events",
        f"decoding: {decoding / head:.1f} us CPU per event",
        f"rebuild: {seconds:.1f} s, {rebuilding / head:.1f} us CPU per event (goal <= 12), twice the same tables:"
        f" {checksums(path) == checksums(again)}; a transaction for every event: {single / (count // _SHARE):.1f} us",
        f"a session of {_LONG_SESSION:,} events loaded in {session * 1_000:.0f} ms (goal <= 100)",
        f"verify: {verifying / head:.1f} us CPU per event",
    ]


def _one_by_one(path: Path, log: EventLog, count: int) -> None:
    store = open_store(path, PROJECTIONS, log)
    progress = [Progress(projection, 0) for projection in PROJECTIONS]
    for recorded in itertools.islice(log.scan(), count):
        apply_batch(store.db, progress, [recorded])
    store.close()


def _cost(work: Callable[[], object]) -> tuple[float, float]:
    """CPU in microseconds, and seconds of wall time."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.process_time() - cpu) * 1e6, time.perf_counter() - wall


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner(loop_factory=new_event_loop) as runner:
        lines = runner.run(run(Path(directory), count))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
