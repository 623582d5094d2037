"""Events of destroying a session's contents. Stream `workspace`. Their reasons are kept in clear: the session's key is
gone with the contents, and why it was done is to stay readable."""

import msgspec

from schema.registry import Event


class ErasedCounts(msgspec.Struct, frozen=True):
    """What there was: messages that were stored, masked or left out texts, memories, and previews."""

    messages: int = 0
    masks: int = 0
    memories: int = 0
    previews: int = 0


class SessionErasureRequested(Event, frozen=True, kw_only=True):
    """A session's contents are to be destroyed: from here on nothing can be done with it, and its conversations start
    sessions anew. A program that ends before SessionErased goes on with it at its next start."""

    session_id: int
    counts: ErasedCounts
    reason: str | None = None


class SessionErased(Event, frozen=True, kw_only=True):
    """The session's key and bodies are destroyed; ids, counters, hashes, models and times stay. `key_id` is the sha256
    (64 hex) of the key, so that it can be told in an old copy; `erased_at` in ms since the epoch."""

    session_id: int
    key_id: str | None = None
    erased_at: int
    counts: ErasedCounts
    reason: str | None = None


EVENTS = (SessionErasureRequested, SessionErased)
