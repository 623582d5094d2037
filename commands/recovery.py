"""At a start: exchanges that the log holds open belong to a process that is gone, and a log may have lost its end."""

from commands import exchanges
from commands.workspace import STREAM
from schema.appending import Appender
from schema.appends import Append
from schema.exchanges import ExchangeInterrupted, ExchangeStarted, Timings, Usage
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent, Recorded
from schema.standing import LostEnd


async def tell_of_lost_end(lost: LostEnd | None, appender: Appender) -> None:
    """The log says itself what it has lost. Raises StoreUnavailableError."""
    gap = lost.gap() if lost is not None else None
    if gap is not None:
        event = NewEvent(STREAM, gap)
        await appender.append(Append(events=(event,), metadata=Metadata(actor="system"), durable=True))


async def interrupt_open_exchanges(log: EventLog, appender: Appender) -> int:
    """Close every open exchange as interrupted; how many there were. Raises StoreUnavailableError."""
    found = [recorded for recorded in log.open_exchanges() if isinstance(recorded.event, ExchangeStarted)]
    for recorded in found:
        append = Append(
            events=_interrupted(recorded),
            metadata=Metadata(
                actor="system", correlation_id=recorded.correlation_id, causation_position=recorded.position
            ),
            expect={recorded.stream: recorded.version},
            durable=True,
        )
        await appender.append(append)
    return len(found)


def _interrupted(recorded: Recorded) -> list[NewEvent]:
    """The prompt may have been paid for: it is counted as an estimate. What had come back is not known."""
    started = recorded.event
    if not isinstance(started, ExchangeStarted):
        return []
    tokens = (started.sent or started.received).tokens
    facts = ExchangeInterrupted(
        session_id=started.session_id,
        exchange_id=started.exchange_id,
        usage=Usage(source="estimated", prompt_tokens=tokens, total_tokens=tokens),
        timings=Timings(),
        cause="found_open",
    )
    decided = exchanges.decide("running", exchanges.FinishExchange(facts))
    return [NewEvent(recorded.stream, event) for event in decided]
