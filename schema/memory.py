"""Events of what is remembered for later. Stream `memory`.

A memory belongs to a session; its text is a body beside MemoryStored, sealed with that session's key. Nothing is taken
back: what was forgotten is restored, and what was promoted is demoted, by an event of its own.
"""

from typing import Literal

import msgspec

from schema.exchanges import Blob
from schema.registry import Event, SealedText

MemoryType = Literal["episodic", "frequent", "semantic"]
Origin = Literal["api", "detected", "compressed"]
RecallCause = Literal["search", "similar", "restored"]
ForgetCause = Literal["cleanup", "compressed", "asked", "merged", "undone"]


class MemoryStored(Event, frozen=True, kw_only=True):
    """A text is remembered. `content_ref` is the sha256 of its UTF-8 bytes, `hash` the first 16 hex digits of that.
    `origin` says who stored it: a client, our own reading of a conversation (then `exchange_id` and `message_ref` name
    the message that it stands in), or a compression, which puts it in the place of the memories `supersedes`.
    `accesses` is how often it was of use at its beginning, where that is not once: after a compression, as often as
    what it stands for. `metadata` is a JSON object. The blob holds the text."""

    session_id: int
    memory_id: int
    memory_type: MemoryType
    content_ref: str
    hash: str
    tokens: int
    origin: Origin = "api"
    exchange_id: int | None = None
    message_ref: str | None = None
    supersedes: tuple[int, ...] = ()
    accesses: int | None = None
    metadata: SealedText = None
    preview: SealedText = None
    blob: Blob | None = None


class MemoryRecalled(Event, frozen=True, kw_only=True):
    """Memories were of use: found by a search or as similar, or (`restored`) their text was stored once more. Each
    counts one access. `session_id` is None where the memories of all sessions were searched."""

    session_id: int | None = None
    memory_ids: tuple[int, ...]
    cause: RecallCause


class MemoryPromoted(Event, frozen=True, kw_only=True):
    """A memory that is used again and again is kept as such."""

    session_id: int
    memory_id: int
    from_: MemoryType = msgspec.field(name="from")
    to: MemoryType


class MemoryDemoted(Event, frozen=True, kw_only=True):
    """A promotion was undone."""

    session_id: int
    memory_id: int
    from_: MemoryType = msgspec.field(name="from")
    to: MemoryType


class MemoryForgotten(Event, frozen=True, kw_only=True):
    """A memory leaves lists and searches; it can be restored. `superseded_by` took its place: in a compression, or
    (`merged`) as it has the same text in what is one session now. `undone`: what it took the place of is back."""

    session_id: int
    memory_id: int
    cause: ForgetCause
    superseded_by: int | None = None


class MemoryRestored(Event, frozen=True, kw_only=True):
    """A memory that was forgotten is back, as it was."""

    session_id: int
    memory_id: int


EVENTS = (MemoryStored, MemoryRecalled, MemoryPromoted, MemoryDemoted, MemoryForgotten, MemoryRestored)
