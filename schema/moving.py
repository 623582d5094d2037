"""Events that correct which session something belongs to. Stream `workspace`. What was recorded before stays as it
was: the old truth is seen as of an earlier event."""

import msgspec

from schema.compaction import PrefixDecision
from schema.exchanges import Blob, ExchangeStarted, Finished
from schema.forking import SessionForked
from schema.memory import MemoryStored
from schema.registry import Event, SealedText


class ExchangeReassigned(Event, frozen=True, kw_only=True):
    """An exchange belongs to another session from here on, `to`, which is also `session_id`. The blob holds its bodies
    once more, sealed with that session's key, so that erasing the other session does not take them away."""

    session_id: int
    exchange_id: int
    from_: int = msgspec.field(name="from")
    to: int
    preview: SealedText = None
    error_message: SealedText = None
    blob: Blob | None = None


class SessionsMerged(Event, frozen=True, kw_only=True):
    """All that belonged to the sources belongs to the target, `target_id`, which is also `session_id`. Their contents
    stay under their own keys; erasing the target destroys these too."""

    session_id: int
    target_id: int
    source_ids: tuple[int, ...]
    exchanges_moved: int = 0
    memories_moved: int = 0
    compactions_moved: int = 0


EVENTS = (ExchangeReassigned, SessionsMerged)
HoldsBodies = (
    ExchangeStarted | Finished | PrefixDecision | ExchangeReassigned | SessionForked | MemoryStored
)  # in its blob
