"""What the hot path remembers of a session, folded from the log with the texts that go upstream in another's place."""

from collections.abc import Sequence

from proxy.memory import SessionMemory
from schema.log import EventLog
from schema.moving import HoldsBodies


def remembered(log: EventLog, sessions: Sequence[int], *, upto: int | None = None) -> SessionMemory:
    """Of a session, the first one, and of those that became parts of it, up to event `upto`."""
    memory = SessionMemory(sessions[0])
    places: dict[str, int] = {}
    for recorded in log.read(session_id=sessions, upto=upto):
        memory.apply(recorded)
        if isinstance(recorded.event, HoldsBodies) and recorded.event.blob is not None:
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
