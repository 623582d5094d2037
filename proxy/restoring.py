"""After a start: which conversations go on, from the log."""

from collections.abc import Container

from proxy.chains import ChainIndex
from schema.exchanges import EVENTS, ExchangeCompleted, ExchangeStarted
from schema.log import EventLog
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Recorded

_LATEST = 50_000  # events: about a second of reading
_TYPES = tuple(cls.__name__ for cls in (*EVENTS, ExchangeReassigned, SessionsMerged))


def restore_chains(log: EventLog, chains: ChainIndex, living: Container[int], merged: Container[int] = ()) -> None:
    """Fill the index from the latest 50,000 events. Older conversations are still found by header or body."""
    counts: dict[int, int] = {}
    for recorded in log.scan(max(0, log.head() - _LATEST), types=_TYPES):
        if recorded.session_id is not None and (recorded.session_id in living or recorded.session_id in merged):
            _restore(chains, recorded, counts)


def _restore(chains: ChainIndex, recorded: Recorded, counts: dict[int, int]) -> None:
    event = recorded.event
    if isinstance(event, ExchangeStarted):
        received = event.received
        counts[event.exchange_id] = received.count
        base = received.base_exchange
        if base is not None and event.resolution.branch != "fork" and counts.get(base) == received.keep:
            chains.continue_chain(event.session_id, base, event.exchange_id)
        chains.restore(event.session_id, event.exchange_id, _bytes(event.chain), None, count=received.count)
    elif isinstance(event, ExchangeReassigned):
        chains.move(event.exchange_id, event.from_, event.to)
    elif isinstance(event, SessionsMerged):
        for source in event.source_ids:
            chains.move_all(source, event.target_id)
    elif isinstance(event, ExchangeCompleted) and event.exchange_id in counts:
        count = counts[event.exchange_id]
        chains.restore(event.session_id, event.exchange_id, None, _bytes(event.chain), count=count)


def _bytes(chain: str | None) -> bytes | None:
    return bytes.fromhex(chain) if chain is not None else None
