"""At a start: exchanges that the log holds open belong to a process that is gone."""

from commands import exchanges
from schema.appending import Appender
from schema.appends import Append
from schema.exchanges import ExchangeInterrupted, ExchangeStarted, Timings, Usage
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent, Recorded


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
