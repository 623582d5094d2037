"""A log with one long session: exchanges that fill its context, and a compaction whenever it is full. Written through
the real writer, without a proxy: `python -m benchmarks.long_session DIRECTORY EVENTS`, of a data directory that is not in
use. 50,000 events take seconds."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.projections_rebuild import write
from schema.appending import Appender
from schema.compaction import CompactionPerformed, Inserted, PrefixEdit
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.keys import KeyStore
from schema.log import EventLog
from schema.registry import Event
from schema.sessions import SessionStarted
from schema.workspace import SessionActivated

SESSION = 1
_WINDOW = 200_000
_EMPTY, _FULL = 20_000, 170_000


def events(count: int) -> Iterator[Event]:
    """So many events of session 1, which is the active one."""
    yield SessionStarted(session_id=SESSION, name="A long session", provider="demo", model="demo/echo", origin="manual")
    yield SessionActivated(session_id=SESSION)
    used, exchange, compactions, told = _EMPTY, 0, 0, 2
    while told + 2 <= count:
        exchange += 1
        yield _started(exchange, used)
        yield _completed(exchange, used)
        told += 2
        used += 700 + 131 * (exchange % 17)
        if used > _FULL and told < count:
            compactions += 1
            yield _compacted(compactions, exchange, used)
            told, used = told + 1, _EMPTY + 1_000 * (compactions % 9)


def _started(number: int, tokens: int) -> ExchangeStarted:
    added = tuple(f"{number:032x}{index:032x}" for index in range(2))
    received = MessageRefs(base_exchange=None, keep=0, added=added, count=2, tokens=tokens)
    return ExchangeStarted(
        session_id=SESSION,
        exchange_id=number,
        model_requested="demo/echo",
        model_sent="echo",
        provider="demo",
        stream=True,
        resolution=Resolution(rule="hash_chain"),
        received=received,
        envelope_ref="e" * 64,
        preview=f"What about part {number}?",
    )


def _completed(number: int, tokens: int) -> ExchangeCompleted:
    return ExchangeCompleted(
        session_id=SESSION,
        exchange_id=number,
        usage=Usage(source="measured", prompt_tokens=tokens, completion_tokens=250, total_tokens=tokens + 250),
        answer_ref="a" * 64,
        finish_reason="stop",
        http_status=200,
        timings=Timings(overhead_ms=0.4, ttft_ms=310.0, duration_ms=2_500.0),
        model_answered="echo",
    )


def _compacted(number: int, exchange: int, before: int) -> CompactionPerformed:
    return CompactionPerformed(
        session_id=SESSION,
        history_id=number,
        decided_on=exchange,
        trigger_reason="auto_threshold",
        edit=PrefixEdit(cut=2, within=f"{number:032x}", removed=((0, 1),), inserted=(Inserted(1, "d" * 64),)),
        removed_refs=(f"{exchange:032x}{0:032x}",),
        summary_ref="d" * 64,
        tokens_before=before,
        tokens_after=_EMPTY,
        messages_before=120,
        messages_after=12,
        system_preserved=1,
        recent_preserved=2,
        summary="What was said before, in short.",
    )


async def make(directory: Path, count: int) -> None:
    """Write the log into a data directory that is not in use."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    appender = Appender(log)
    appender.start(lambda batch: None)
    await write(appender, events(count))
    await appender.close()
    log.close()
    keys.close()


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]), int(sys.argv[2])))
