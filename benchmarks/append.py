"""Cost of appending to the event log: `python -m benchmarks.append [events]`.

64 coroutines append one event of 600 bytes each and wait for its commit, durably (FULL) and as facts (NORMAL); then one
coroutine does the same, so that every event is a transaction of its own. CPU is that of the whole process (encoding,
sealing, hash chain, SQLite, event loop), in microseconds per event; it is what to compare, because wall time depends on
the disk and on the neighbours. The loop is uvloop, as in the server.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from uvloop import new_event_loop

from schema.appending import Appender
from schema.appends import Append
from schema.exchanges import ExchangeStarted, MessageRefs, Resolution
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent

_CONCURRENT = 64
_META = Metadata(actor="proxy", by="bench", correlation_id="0" * 16)


class Cost(msgspec.Struct, frozen=True):
    """CPU in microseconds per event, and events per second of wall time."""

    cpu_us: float
    per_second: float


def started(number: int) -> NewEvent:
    """A fact whose stored state is about 600 bytes long, with one sealed field."""
    event = ExchangeStarted(
        session_id=number % 8 + 1,
        exchange_id=number,
        model_requested="demo/echo",
        model_sent="echo",
        provider="demo",
        stream=True,
        resolution=Resolution(rule="hash_chain"),
        received=MessageRefs(base_exchange=max(number - 1, 0), keep=12, added=("a" * 64,), count=13, tokens=1_234),
        envelope_ref="e" * 64,
        chain="c" * 32,
        preview="what the user typed " * 3,
    )
    return NewEvent(f"exchange-{number}", event)


async def measure(appender: Appender, first: int, count: int, concurrent: int, *, durable: bool) -> Cost:
    """Append `count` events, numbered from `first`, with `concurrent` of them under way at any time."""
    numbers = iter(range(first, first + count))

    async def work() -> None:
        for number in numbers:
            await appender.append(Append(events=(started(number),), metadata=_META, durable=durable))

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrent):
            group.create_task(work())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(cpu / count * 1e6, count / wall)


async def run(directory: Path, count: int) -> list[str]:
    """The lines to print. The smaller count of single appends keeps the run short; its figures are per event."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    appender = Appender(log)
    appender.start()
    lines, first = [], 1
    for durable, name in ((True, "durable (FULL)"), (False, "fact (NORMAL)")):
        together = await measure(appender, first, count, _CONCURRENT, durable=durable)
        single = await measure(appender, first + count, count // 10, 1, durable=durable)
        first += count + count // 10
        for label, cost in ((f"{_CONCURRENT} at once", together), ("1 per transaction", single)):
            lines.append(f"{name:15} {label:18} {cost.cpu_us:7.1f} us CPU/event {cost.per_second:9,.0f} events/s")
        ratio = f"{single.cpu_us / together.cpu_us:.1f}x CPU, {together.per_second / single.per_second:.1f}x events/s"
        lines.append(f"{name:15} ratio              {ratio}")
    await appender.close()
    log.close()
    keys.close()
    return lines


def main(arguments: list[str]) -> None:
    count = int(arguments[0]) if arguments else 20_000
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner(loop_factory=new_event_loop) as runner:
        sys.stdout.write("\n".join(runner.run(run(Path(directory), count))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
