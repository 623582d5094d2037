"""A session that goes on from an earlier moment of another one. Stream `workspace`, after its SessionStarted.

All that the new session needs stands in this one event and in its blob, sealed with the new session's key: neither
erasing the source nor anything that happens to it later takes it away.
"""

import msgspec

from schema.compaction import Kind, LeftOut, PrefixEdit, SkipReason, Trigger
from schema.context import ReplacedOutput, Stage
from schema.exchanges import Blob, MessageRefs
from schema.registry import Event, SealedText


class CarriedReplacement(msgspec.Struct, frozen=True):
    """An output that goes upstream in a shorter form, as the source had decided."""

    stage: Stage
    output: ReplacedOutput


class CarriedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix decision of the source that was in force: `copy_of` is its number there, `number` the one here, under
    which it can be undone; `performed_at` in ms since the epoch. The others as in PrefixDecision."""

    kind: Kind
    number: int
    copy_of: int
    performed_at: int
    decided_on: int
    trigger_reason: Trigger
    edit: PrefixEdit
    removed_refs: tuple[str, ...]
    summary_ref: str
    tokens_before: int
    tokens_after: int
    messages_before: int
    messages_after: int
    system_preserved: int
    recent_preserved: int
    model: str | None = None


class CarriedContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings and counts of the source's context; times in ms since the epoch. `reserved_tokens` and `auto` are None
    where nobody had set them."""

    reserved_tokens: int | None = None
    auto: bool | None = None
    consecutive: int = 0
    compactions: int = 0
    tokens_saved: int = 0
    last_at: int | None = None
    last_auto_at: int | None = None
    skip_reason: SkipReason | None = None


class CarriedExchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The exchange of the source whose messages the context is: whole lists, as they were received and (None where that
    is the same) as they were sent, and the answer, where it had come. `counted_tokens` are those sent, as we counted
    them, `measured_tokens` as the provider did."""

    exchange_id: int
    received: MessageRefs
    sent: MessageRefs | None = None
    envelope_ref: str
    sent_envelope_ref: str | None = None
    answer_ref: str | None = None
    counted_tokens: int = 0
    measured_tokens: int | None = None


class SessionForked(Event, frozen=True, kw_only=True):
    """The context of session `source_id` as of event `at`. The exchange in it stays the source's: the new session has
    used nothing yet. `previews` is a JSON array of the beginnings of `masks`, `summaries` one of `decisions`,
    `pin_reasons` one of `pins`."""

    session_id: int
    source_id: int
    at: int
    exchange: CarriedExchange | None = None
    context: CarriedContext = CarriedContext()
    context_tokens: int = 0
    masks: tuple[LeftOut, ...] = ()
    replaced: tuple[CarriedReplacement, ...] = ()
    decisions: tuple[CarriedDecision, ...] = ()
    pins: tuple[str, ...] = ()
    previews: SealedText = None
    summaries: SealedText = None
    pin_reasons: SealedText = None
    blob: Blob | None = None


EVENTS = (SessionForked,)
