"""What the hot path remembers of a session, folded from the log with the texts that go upstream in another's place."""

from collections.abc import Sequence

from proxy.memory import SessionMemory
from schema.log import EventLog
from schema.moving import HoldsBodies
from schema.recorded import Recorded
from schema.sealing import SealError
from schema.unreadable import Unreadable, UnreadableEventError, why


def remembered(log: EventLog, sessions: Sequence[int], *, upto: int | None = None) -> SessionMemory:
    """Of a session, the first one, and of those that became parts of it, up to event `upto`. Raises
    UnreadableEventError: without one of its events, what goes upstream might be what was taken back."""
    memory = SessionMemory(sessions[0])
    places: dict[str, Recorded] = {}
    for recorded in log.read(session_id=sessions, upto=upto):
        if isinstance(recorded.event, Unreadable):
            raise UnreadableEventError(recorded.event)
        memory.apply(recorded)
        if isinstance(recorded.event, HoldsBodies) and recorded.event.blob is not None:
            for ref in recorded.event.blob.refs:
                places.setdefault(ref, recorded)
    for held in memory.replaced.all():
        ref = held.output.replacement_ref
        if ref in places:
            held.message = _body(log, places[ref], ref)
    for prefix in memory.prefixes.all():
        for inserted in prefix.edit.inserted:
            body = _body(log, places[inserted.ref], inserted.ref) if inserted.ref in places else None
            if body is not None:
                prefix.bodies[inserted.ref] = body
    return memory


def _body(log: EventLog, recorded: Recorded, ref: str) -> bytes | None:
    """Raises UnreadableEventError."""
    try:
        return log.body(recorded.position, ref)
    except SealError as error:
        position, session_id = recorded.position, recorded.session_id
        event = Unreadable(position=position, type=recorded.type, session_id=session_id, reason=why(error))
        raise UnreadableEventError(event) from None
