"""What events of masks, compactions and pins say."""

from collections.abc import Mapping

from projections.saying import Summary, Words, says
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    CompressionFailed,
    CompressionPerformed,
    MessagePinned,
    MessageUnpinned,
    TokensReserved,
)
from schema.context import ContentMasked, ContentRetrieved, OutputsMasked, SanitizerDisabled, SanitizerEnabled
from schema.registry import Event


def _content_masked(event: ContentMasked, _: str) -> tuple[str, Words]:
    of = event.output
    change = f"{of.tokens_before:,} to {of.tokens_after:,} tokens ({event.stage})"
    where = f" in session {event.session_id}" if event.session_id else ""
    return f"output of {of.tool or 'a tool'} shortened{where}: {change}", (of.tool, of.hash)


def _outputs_masked(event: OutputsMasked, _: str) -> tuple[str, Words]:
    count = len(event.outputs)
    text = f"{count:,} old outputs masked in session {event.session_id}: {event.tokens_saved:,} tokens saved"
    return f"{text} ({event.trigger})", tuple(output.hash for output in event.outputs)


def _retrieved(event: ContentRetrieved, _: str) -> tuple[str, Words]:
    return f"masked content {event.hash[:16]} retrieved by the {event.retrieved_by}", (event.hash,)


def _sanitizer_enabled(_: SanitizerEnabled, __: str) -> tuple[str, Words]:
    return "sanitizer switched on", ()


def _sanitizer_disabled(_: SanitizerDisabled, __: str) -> tuple[str, Words]:
    return "sanitizer switched off", ()


def _compaction(event: CompactionPerformed, _: str) -> tuple[str, Words]:
    return f"compaction {event.history_id} of session {event.session_id} ({event.trigger_reason}): {_less(event)}", ()


def _compression(event: CompressionPerformed, _: str) -> tuple[str, Words]:
    by = f" by {event.model}" if event.model else ""
    return f"compression {event.log_id} of session {event.session_id}{by}: {_less(event)}", (event.model,)


def _less(event: CompactionPerformed | CompressionPerformed) -> str:
    tokens = f"{event.tokens_before:,} to {event.tokens_after:,} tokens"
    return f"{tokens}, {len(event.removed_refs):,} messages left out"


def _compression_failed(event: CompressionFailed, _: str) -> tuple[str, Words]:
    text = f"no summary of session {event.session_id} by {event.model} ({event.error_code}): a digest took its place"
    return text, (event.model, event.error_message)


def _compaction_reverted(event: CompactionReverted, _: str) -> tuple[str, Words]:
    number = event.history_id if event.history_id is not None else event.log_id
    tokens = f"{event.tokens_restored:,} tokens restored"
    return f"{event.kind} {number} of session {event.session_id} undone: {tokens}", ()


def _auto_skipped(event: AutoCompactionSkipped, _: str) -> tuple[str, Words]:
    size = f"{event.tokens:,} of {event.threshold_tokens:,} tokens"
    return f"session {event.session_id} not compacted by itself ({event.reason}): {size}", (event.reason,)


def _reserved(event: TokensReserved, _: str) -> tuple[str, Words]:
    return f"{event.to:,} tokens reserved in session {event.session_id}, before {event.from_:,}", ()


def _auto_compaction_enabled(event: AutoCompactionEnabled, _: str) -> tuple[str, Words]:
    return f"automatic compaction of session {event.session_id} switched on", ()


def _auto_compaction_disabled(event: AutoCompactionDisabled, _: str) -> tuple[str, Words]:
    return f"automatic compaction of session {event.session_id} switched off", ()


def _pinned(event: MessagePinned, _: str) -> tuple[str, Words]:
    return f"message {event.ref[:16]} pinned in session {event.session_id}", (event.ref, event.reason)


def _unpinned(event: MessageUnpinned, _: str) -> tuple[str, Words]:
    return f"message {event.ref[:16]} unpinned in session {event.session_id}", (event.ref, event.reason)


CONTEXTS: Mapping[type[Event], Summary] = dict(
    (
        says(ContentMasked, _content_masked),
        says(OutputsMasked, _outputs_masked),
        says(ContentRetrieved, _retrieved),
        says(SanitizerEnabled, _sanitizer_enabled),
        says(SanitizerDisabled, _sanitizer_disabled),
        says(CompactionPerformed, _compaction),
        says(CompressionPerformed, _compression),
        says(CompressionFailed, _compression_failed),
        says(CompactionReverted, _compaction_reverted),
        says(AutoCompactionSkipped, _auto_skipped),
        says(TokensReserved, _reserved),
        says(AutoCompactionEnabled, _auto_compaction_enabled),
        says(AutoCompactionDisabled, _auto_compaction_disabled),
        says(MessagePinned, _pinned),
        says(MessageUnpinned, _unpinned),
    )
)
