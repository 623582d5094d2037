"""What the hot path remembers of a session, folded from the log with the texts that go upstream in another's place."""

from proxy.memory import SessionMemory
from schema.compaction import PrefixDecision
from schema.exchanges import ExchangeStarted
from schema.log import EventLog


def remembered(log: EventLog, session_id: int, *, upto: int | None = None) -> SessionMemory:
    """Up to event `upto`."""
    memory = SessionMemory()
    places: dict[str, int] = {}
    for recorded in log.read(session_id=session_id, upto=upto):
        memory.apply(recorded)
        if isinstance(recorded.event, ExchangeStarted | PrefixDecision) and recorded.event.blob is not None:
            for ref in recorded.event.blob.refs:
                places.setdefault(ref, recorded.position)
    for held in memory.replaced.all():
        ref = held.output.replacement_ref
        if ref in places:
            held.message = log.body(places[ref], ref)
    for prefix in memory.prefixes.all():
        for inserted in prefix.edit.inserted:
            body = log.body(places[inserted.ref], inserted.ref) if inserted.ref in places else None
            if body is not None:
                prefix.bodies[inserted.ref] = body
    return memory
