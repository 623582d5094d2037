"""Exchanges that a process left open are closed at the next start."""

from commands.recovery import interrupt_open_exchanges
from schema.appends import Append
from schema.exchanges import ExchangeInterrupted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.recorded import Metadata, NewEvent
from tests.commands.conftest import Open, Store
from tests.schema.writing import completed, started


def sent(number: int, tokens: int, sent_tokens: int | None) -> NewEvent:
    event = ExchangeStarted(
        session_id=3,
        exchange_id=number,
        model_sent="echo",
        provider="demo",
        resolution=Resolution(rule="new"),
        received=MessageRefs(count=1, tokens=tokens),
        sent=None if sent_tokens is None else MessageRefs(count=1, tokens=sent_tokens),
        envelope_ref="e" * 64,
    )
    return NewEvent(f"exchange-{number}", event)


async def append(store: Store, *events: NewEvent) -> None:
    metadata = Metadata(actor="proxy", by="cline", correlation_id="request-7")
    await store.appender.append(Append(events=events, metadata=metadata))


async def test_open_exchanges_are_interrupted_once(open_store: Open) -> None:
    store = await open_store()
    await append(store, sent(1, 50, None), started(2), completed(2), sent(11, 50, 20))
    store = await open_store()
    assert await interrupt_open_exchanges(store.log, store.appender) == 2
    first, second = store.log.read(4)
    assert first.event == ExchangeInterrupted(
        session_id=3,
        exchange_id=1,
        usage=Usage(source="estimated", prompt_tokens=50, total_tokens=50),
        timings=Timings(),
        cause="found_open",
    )
    assert isinstance(second.event, ExchangeInterrupted)
    assert (second.exchange_id, second.event.usage.prompt_tokens) == (11, 20)
    assert (first.stream, first.version, first.actor, first.by) == ("exchange-1", 2, "system", None)
    assert (first.correlation_id, first.causation_position) == ("request-7", 1)
    assert await interrupt_open_exchanges(store.log, store.appender) == 0


async def test_a_log_without_open_exchanges_stays_as_it_is(store: Store) -> None:
    await append(store, started(1), completed(1))
    assert await interrupt_open_exchanges(store.log, store.appender) == 0
    assert store.log.head() == 2
