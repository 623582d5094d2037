"""A log with one long session: exchanges that fill its context, and a compaction whenever it is full. Written through
the real writer, without a proxy: `python -m benchmarks.long_session DIRECTORY EVENTS`, of a data directory
that is not in use. 50,000 events take seconds."""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from schema.appending import Appender
from schema.appends import Append
from schema.blobs import content_ref
from schema.compaction import CompactionPerformed, Inserted, PrefixEdit
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Body, Metadata, NewEvent
from schema.sessions import SessionStarted
from schema.workspace import SessionActivated

SESSION = 1
_META = Metadata(actor="proxy", by="bench", correlation_id="0" * 32)
_GROUP = 500
_EMPTY, _FULL = 20_000, 170_000


def events(count: int) -> Iterator[NewEvent]:
    """So many events of session 1, which is the active one."""
    started = SessionStarted(session_id=SESSION, name="A long one", provider="demo", model="demo/echo", origin="manual")
    yield NewEvent("workspace", started)
    yield NewEvent("workspace", SessionActivated(session_id=SESSION))
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


def _body(role: str, text: str) -> Body:
    data = f'{{"role":"{role}","content":"{text}"}}'.encode()
    return Body(content_ref(data), data)


def _started(number: int, tokens: int) -> NewEvent:
    asked = _body("user", f"What about part {number}?")
    received = MessageRefs(base_exchange=None, keep=0, added=(asked.ref,), count=1, tokens=tokens)
    event = ExchangeStarted(
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
    return NewEvent(f"exchange-{number}", event, (asked,))


def _completed(number: int, tokens: int) -> NewEvent:
    answer = _body("assistant", f"Part {number} is done.")
    event = ExchangeCompleted(
        session_id=SESSION,
        exchange_id=number,
        usage=Usage(source="measured", prompt_tokens=tokens, completion_tokens=250, total_tokens=tokens + 250),
        answer_ref=answer.ref,
        finish_reason="stop",
        http_status=200,
        timings=Timings(overhead_ms=0.4, ttft_ms=310.0, duration_ms=2_500.0),
        model_answered="echo",
    )
    return NewEvent(f"exchange-{number}", event, (answer,))


def _compacted(number: int, exchange: int, before: int) -> NewEvent:
    digest = _body("assistant", f"What was said before compaction {number}, in short.")
    event = CompactionPerformed(
        session_id=SESSION,
        history_id=number,
        decided_on=exchange,
        trigger_reason="auto_threshold",
        edit=PrefixEdit(cut=2, within=f"{number:032x}", removed=((0, 1),), inserted=(Inserted(1, digest.ref),)),
        removed_refs=(_body("user", f"What about part {exchange}?").ref,),
        summary_ref=digest.ref,
        tokens_before=before,
        tokens_after=_EMPTY,
        messages_before=120,
        messages_after=12,
        system_preserved=1,
        recent_preserved=2,
        summary="What was said before, in short.",
    )
    return NewEvent(f"session-{SESSION}", event, (digest,))


async def make(directory: Path, count: int) -> None:
    """Write the log into a data directory that is not in use."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    appender = Appender(log)
    appender.start(lambda batch: None)
    source = events(count)
    while group := list(itertools.islice(source, _GROUP)):
        await appender.append(Append(events=group, metadata=_META, keep=True))
    await appender.close()
    log.close()
    keys.close()


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]), int(sys.argv[2])))
