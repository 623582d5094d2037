"""Events of a session's context: the beginning of a conversation that goes upstream in a shorter form from now on, its
undoing, and the settings beside it. Stream `session-{id}`.

A compaction and a compression are prefix decisions of one kind. Such a decision is bound to a beginning, not to a
session: a conversation that went another way before its cut goes upstream as it came.
"""

from typing import Literal

import msgspec

from schema.exchanges import Blob
from schema.registry import Event, SealedText

Trigger = Literal["manual", "auto_threshold"]
Kind = Literal["compaction", "compression"]
SkipReason = Literal["cooldown", "max_consecutive", "nothing_to_compact", "unavailable"]


class Inserted(msgspec.Struct, frozen=True, gc=False):
    """A message of ours goes in front of message `before` of the prefix (`before` = the cut: behind its last one)."""

    before: int
    ref: str


class PrefixEdit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What becomes of the first `cut` messages. `within` is the keyed hash (32 hex) of these, as earlier decisions left
    them; `removed` are stretches of them (from, to) that are left out, `inserted` what stands in their place.
    `builds_on` is the number of the earlier decision that this one goes on from."""

    cut: int
    within: str
    removed: tuple[tuple[int, int], ...]
    inserted: tuple[Inserted, ...]
    builds_on: int | None = None


class LeftOut(msgspec.Struct, frozen=True, gc=False):
    """A tool's output among the messages that were left out: its text has the sha256 `hash`, its message `ref`."""

    hash: str
    ref: str
    tool: str
    tokens: int


class PrefixDecision(Event, frozen=True, kw_only=True):
    """What both kinds say. `exchange_id` is the exchange whose messages were decided on; `removed_refs` are those of
    the messages left out, `summary_ref` that of a message with all that stands in their place; tokens and messages are
    counts of the whole context before and after. `previews` is a JSON array of the
    beginnings of `outputs`. The blob holds the messages that were inserted, and the summary."""

    session_id: int
    decided_on: int
    trigger_reason: Trigger
    edit: PrefixEdit
    removed_refs: tuple[str, ...]
    summary_ref: str
    outputs: tuple[LeftOut, ...] = ()
    tokens_before: int
    tokens_after: int
    messages_before: int
    messages_after: int
    system_preserved: int
    recent_preserved: int
    summary: SealedText = None
    previews: SealedText = None
    blob: Blob | None = None


class CompactionPerformed(PrefixDecision, frozen=True, kw_only=True):
    """Whole turns of the assistant were replaced by a digest that no model wrote; system, user and pinned messages
    stay."""

    history_id: int


class CompressionPerformed(PrefixDecision, frozen=True, kw_only=True):
    """All but the last exchanges were replaced by a summary; `model` wrote it, None for a digest."""

    log_id: int
    model: str | None = None
    summary_exchange_id: int | None = None


class CompressionFailed(Event, frozen=True, kw_only=True):
    """The model that was to write a summary did not; a digest took its place."""

    session_id: int
    model: str
    error_code: str
    error_message: SealedText = None


class CompactionReverted(Event, frozen=True, kw_only=True):
    """A prefix decision was undone: from here on the originals go upstream again. One of the two numbers is given."""

    session_id: int
    kind: Kind
    history_id: int | None = None
    log_id: int | None = None
    restored_refs: tuple[str, ...]
    tokens_restored: int


class AutoCompactionSkipped(Event, frozen=True, kw_only=True):
    """A context was full enough to be compacted by itself, and was not. Written when the reason changes."""

    session_id: int
    reason: SkipReason
    tokens: int
    threshold_tokens: int


class TokensReserved(Event, frozen=True, kw_only=True):
    """So many tokens of the window are kept free; they count in every threshold."""

    session_id: int
    from_: int = msgspec.field(name="from")
    to: int


class AutoCompactionEnabled(Event, frozen=True, kw_only=True):
    """From here on the session is compacted by itself when its context is full."""

    session_id: int


class AutoCompactionDisabled(Event, frozen=True, kw_only=True):
    """From here on the session is compacted only when somebody asks."""

    session_id: int


class MessagePinned(Event, frozen=True, kw_only=True):
    """A message goes upstream as it came from now on, whatever is reduced around it."""

    session_id: int
    ref: str
    reason: SealedText = None


class MessageUnpinned(Event, frozen=True, kw_only=True):
    """A message is reduced like any other again."""

    session_id: int
    ref: str
    reason: SealedText = None


EVENTS = (
    CompactionPerformed,
    CompressionPerformed,
    CompressionFailed,
    CompactionReverted,
    AutoCompactionSkipped,
    TokensReserved,
    AutoCompactionEnabled,
    AutoCompactionDisabled,
    MessagePinned,
    MessageUnpinned,
)
