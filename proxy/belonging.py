"""Which exchanges belong to a session as of now, from the log alone: its own, those that were moved to it, and those of
sessions that were merged into it; without those that were moved away."""

from collections.abc import Sequence

import msgspec

from schema.exchanges import ExchangeStarted
from schema.log import EventLog
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Recorded

_MOVES = (ExchangeReassigned.__name__, SessionsMerged.__name__)


class Belonging(msgspec.Struct, frozen=True):
    """`sessions` are those whose events hold the contents, the asked one first; `exchange_ids` in the order in which
    they began."""

    sessions: tuple[int, ...]
    exchange_ids: tuple[int, ...]


def belonging(log: EventLog, session_id: int) -> Belonging:
    """Of a session that has no exchange, or does not exist: none."""
    moves = list(log.scan(types=_MOVES))
    sessions = _sources(moves, session_id)
    begun = [recorded for each in sessions for recorded in log.scan(types=(ExchangeStarted.__name__,), session_id=each)]
    return Belonging(sessions, _owned([*begun, *moves], session_id))


def _sources(moves: Sequence[Recorded], session_id: int) -> tuple[int, ...]:
    """The session and all that something came from, also in several steps."""
    found = {session_id: None}
    for recorded in reversed(moves):
        match recorded.event:
            case ExchangeReassigned(from_=source, to=target) if target in found:
                found[source] = None
            case SessionsMerged(target_id=target, source_ids=sources) if target in found:
                found.update(dict.fromkeys(sources))
    return tuple(found)


def _owned(events: Sequence[Recorded], session_id: int) -> tuple[int, ...]:
    owners: dict[int, int] = {}
    for recorded in sorted(events, key=lambda each: each.position):
        match recorded.event:
            case ExchangeStarted(exchange_id=exchange, session_id=owner):
                owners[exchange] = owner
            case ExchangeReassigned(exchange_id=exchange, to=target) if exchange in owners:
                owners[exchange] = target
            case SessionsMerged(target_id=target, source_ids=sources):
                owners.update({exchange: target for exchange, owner in owners.items() if owner in sources})
    return tuple(exchange for exchange, owner in owners.items() if owner == session_id)
