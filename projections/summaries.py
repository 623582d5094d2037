"""What an event says in one short line, and the words it is found by. Never message contents."""

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import msgspec

from schema.catalogue import REGISTRY
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
from schema.erasure import SessionErased, SessionErasureRequested
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeRefused,
    ExchangeStarted,
    Finished,
)
from schema.forking import SessionForked
from schema.gateway import (
    BreakerOpened,
    McpCall,
    McpCallCompleted,
    McpCallFailed,
    McpCallRefused,
    McpServerCrashed,
    McpServerStarted,
)
from schema.ledgers import LedgerImported, TaskUsageImported
from schema.memory import (
    MemoryDemoted,
    MemoryForgotten,
    MemoryPromoted,
    MemoryRecalled,
    MemoryRestored,
    MemoryStored,
)
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, RepricedFrom
from schema.registry import Event
from schema.server_state import ContextDeleted, ContextStored, ContextUpdated, TextPruned, ThoughtRecorded
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import (
    AutoSessionDisabled,
    AutoSessionEnabled,
    ConfigurationLoaded,
    DatabaseVacuumed,
    ReadModelRebuilt,
    RecordingGap,
    SessionActivated,
)

_UNITS = {"tokens": "tokens", "requests": "requests", "micro_usd": "millionths of a dollar"}
Words = tuple[str | None, ...]
Summary = Callable[[Event, str], tuple[str, Words]]
E = TypeVar("E", bound=Event)


def model_label(provider: str, model: str) -> str:
    """`provider/model`, also where the model's name says its provider already."""
    return model if model.startswith(f"{provider}/") else f"{provider}/{model}"


def without_sealed(event: Event) -> Event:
    """As it reads once its session's key is destroyed."""
    return msgspec.structs.replace(event, **{name: None for name, _ in REGISTRY.of(event).sealed})


def _says(cls: type[E], say: Callable[[E, str], tuple[str, Words]]) -> tuple[type[Event], Summary]:
    return cls, lambda event, label: say(cast(E, event), label)


def _session_started(event: SessionStarted, _: str) -> tuple[str, Words]:
    rule = f", {event.rule}" if event.rule else ""
    return f"session {event.session_id} started ({event.origin}{rule})", (
        event.name,
        event.provider,
        event.model,
        event.client_family,
    )


def _session_renamed(event: SessionRenamed, _: str) -> tuple[str, Words]:
    return f"session {event.session_id} renamed", (event.from_, event.to)


def _session_deleted(event: SessionDeleted, _: str) -> tuple[str, Words]:
    return f"session {event.session_id} deleted", ()


def _session_activated(event: SessionActivated, _: str) -> tuple[str, Words]:
    before = f", before {event.previous_id}" if event.previous_id is not None else ""
    return f"session {event.session_id} activated{before}", ()


def _auto_enabled(_: AutoSessionEnabled, __: str) -> tuple[str, Words]:
    return "automatic sessions switched on", ()


def _auto_disabled(_: AutoSessionDisabled, __: str) -> tuple[str, Words]:
    return "automatic sessions switched off", ()


def _configuration_loaded(event: ConfigurationLoaded, _: str) -> tuple[str, Words]:
    return f"configuration {event.hash[:12]} loaded", ()


def _book_adopted(event: PriceBookAdopted, _: str) -> tuple[str, Words]:
    return f"price book {event.hash[:12]} adopted: {len(event.content):,} prices", (event.hash,)


def _repriced(event: RepricedFrom, _: str) -> tuple[str, Words]:
    return f"exchanges from event {event.from_:,} on priced by book {event.book[:12]}", (event.book,)


def _recording_gap(event: RecordingGap, _: str) -> tuple[str, Words]:
    return f"{event.count:,} events were not recorded: the log could not be written", ()


def _rebuilt(event: ReadModelRebuilt, _: str) -> tuple[str, Words]:
    same = "as before" if event.equal else "other than before"
    return f"read tables made anew from {event.events:,} events: {same}", event.names


def _vacuumed(event: DatabaseVacuumed, _: str) -> tuple[str, Words]:
    return f"files made smaller: {event.before_bytes:,} to {event.after_bytes:,} bytes", ()


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


def _exchange_started(event: ExchangeStarted, label: str) -> tuple[str, Words]:
    size = f"{event.received.count:,} messages, about {event.received.tokens:,} tokens"
    words = (event.model_requested, event.client_family, event.resolution.rule)
    return f"exchange {event.exchange_id} started in session {event.session_id}: {size}, {label}", words


def _erasure_requested(event: SessionErasureRequested, _: str) -> tuple[str, Words]:
    return f"session {event.session_id} is to be erased", (event.reason,)


def _erased(event: SessionErased, _: str) -> tuple[str, Words]:
    return f"session {event.session_id} erased: {event.counts.messages:,} messages", (event.reason, event.key_id)


def _reassigned(event: ExchangeReassigned, _: str) -> tuple[str, Words]:
    text = f"exchange {event.exchange_id} moved from session {event.from_} to session {event.to}"
    return text, (event.error_message,)


def _merged(event: SessionsMerged, _: str) -> tuple[str, Words]:
    parts = ", ".join(map(str, event.source_ids))
    return f"session {event.target_id} took in {parts}: {event.exchanges_moved:,} exchanges", ()


def _memory_stored(event: MemoryStored, _: str) -> tuple[str, Words]:
    text = f"memory {event.memory_id} stored in session {event.session_id} ({event.memory_type}, {event.origin})"
    return f"{text}: {event.tokens:,} tokens", (event.hash,)


def _memory_recalled(event: MemoryRecalled, _: str) -> tuple[str, Words]:
    memories = "a memory was" if len(event.memory_ids) == 1 else f"{len(event.memory_ids):,} memories were"
    return f"{memories} recalled ({event.cause}): {', '.join(map(str, event.memory_ids))}", ()


def _memory_promoted(event: MemoryPromoted, _: str) -> tuple[str, Words]:
    return f"memory {event.memory_id} promoted from {event.from_} to {event.to}", ()


def _memory_demoted(event: MemoryDemoted, _: str) -> tuple[str, Words]:
    return f"promotion of memory {event.memory_id} undone: {event.to} again", ()


def _memory_forgotten(event: MemoryForgotten, _: str) -> tuple[str, Words]:
    by = f", memory {event.superseded_by} takes its place" if event.superseded_by is not None else ""
    return f"memory {event.memory_id} forgotten ({event.cause}){by}", ()


def _memory_restored(event: MemoryRestored, _: str) -> tuple[str, Words]:
    return f"memory {event.memory_id} restored", ()


def _forked(event: SessionForked, _: str) -> tuple[str, Words]:
    text = f"session {event.session_id} goes on from session {event.source_id} as of event {event.at}"
    return f"{text}: about {event.context_tokens:,} tokens", ("fork",)


def _refused(event: ExchangeRefused, _: str) -> tuple[str, Words]:
    requests = "a request was" if event.count == 1 else f"{event.count:,} requests were"
    where = f" in session {event.session_id}" if event.session_id is not None else ""
    size = f"{event.tokens:,} tokens, {event.limit:,} allowed"
    if event.scope is not None:
        size = f"{event.scope}, {event.limit:,} {_UNITS[event.unit or 'tokens']} allowed"
    label = model_label(event.provider, event.model_sent)
    return f"{requests} refused{where} ({event.code}): {size}, {label}", (event.code, event.scope)


def _completed(event: ExchangeCompleted, label: str) -> tuple[str, Words]:
    return _ended(event, "completed", label)


def _failed(event: ExchangeFailed, label: str) -> tuple[str, Words]:
    text, words = _ended(event, f"failed ({event.error_code})", label)
    return text, (*words, event.error_message)


def _cancelled(event: ExchangeCancelled, label: str) -> tuple[str, Words]:
    return _ended(event, "cancelled by the client", label)


def _interrupted(event: ExchangeInterrupted, label: str) -> tuple[str, Words]:
    return _ended(event, f"interrupted ({event.cause})", label)


def _ended(event: Finished, how: str, label: str) -> tuple[str, Words]:
    usage = event.usage
    tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens, " if usage.source != "none" else ""
    about = "about " if usage.source == "estimated" else ""
    last = event.sent_last
    label = f"{label}, then {model_label(last.provider, last.model)}" if last is not None else label
    tries = f", {len(event.tries)} tries" if event.tries else ""
    return f"exchange {event.exchange_id} {how}: {about}{tokens}{label}{tries}", (event.model_answered,)


def _mcp_completed(event: McpCallCompleted, _: str) -> tuple[str, Words]:
    failed = "" if event.outcome == "ok" else ", which failed"
    return f"{_mcp_call(event)}{failed}: {event.bytes:,} bytes", (event.tool,)


def _mcp_failed(event: McpCallFailed, _: str) -> tuple[str, Words]:
    return f"{_mcp_call(event)} failed ({event.outcome})", (event.tool, event.error_message)


def _mcp_refused(event: McpCallRefused, _: str) -> tuple[str, Words]:
    return f"{_mcp_call(event)} refused ({event.outcome})", (event.tool,)


def _mcp_call(event: McpCall) -> str:
    what = f"tool {event.tool}" if event.tool is not None else event.method
    session = f" in session {event.session_id}" if event.session_id else ""
    return f"{what} of {event.server}{session}"


def _mcp_started(event: McpServerStarted, _: str) -> tuple[str, Words]:
    return f"MCP server {event.server} started ({event.transport})", (event.protocol,)


def _mcp_crashed(event: McpServerCrashed, _: str) -> tuple[str, Words]:
    code = f" with {event.exit_code}" if event.exit_code is not None else ""
    return f"MCP server {event.server} ended by itself{code}, {event.calls:,} calls under way", ()


def _breaker_opened(event: BreakerOpened, _: str) -> tuple[str, Words]:
    text = f"calls of {event.server} refused for {event.open_ms // 1000:,} s: {event.failures:,} failures in a row"
    return f"{text} ({event.outcome})", (event.outcome,)


def _task_imported(event: TaskUsageImported, _: str) -> tuple[str, Words]:
    text = f"{event.tokens_in:,} tokens in and {event.tokens_out:,} out of {event.tool} task {event.task_id}"
    return f"{text} imported", (event.model_id, event.provider, event.ledger)


def _ledger_imported(event: LedgerImported, _: str) -> tuple[str, Words]:
    return f"{event.rows:,} tasks of {event.tool} imported, {event.errors:,} errors", (event.ledger, event.kind)


def _thought(event: ThoughtRecorded, _: str) -> tuple[str, Words]:
    revised = f", revising {event.revises}" if event.revises is not None else ""
    branched = f", branching from {event.branch_from}" if event.branch_from is not None else ""
    return f"thought {event.number} of {event.total}{revised}{branched}", (event.branch,)


def _context_stored(event: ContextStored, _: str) -> tuple[str, Words]:
    return f"context {event.context_id} stored: {event.original_size:,} bytes", (event.title, event.tags)


def _context_updated(event: ContextUpdated, _: str) -> tuple[str, Words]:
    return f"context {event.context_id} changed", (event.title, event.tags)


def _context_deleted(event: ContextDeleted, _: str) -> tuple[str, Words]:
    return f"context {event.context_id} deleted", (event.context_id,)


def _text_pruned(event: TextPruned, _: str) -> tuple[str, Words]:
    gone = sum(last - first + 1 for first, last in event.removed)
    text = f"{gone:,} of {event.original_lines:,} lines pruned ({event.source_type})"
    return text, (event.prune_id,)


SUMMARIES: Mapping[type[Event], Summary] = dict(
    (
        _says(SessionStarted, _session_started),
        _says(SessionRenamed, _session_renamed),
        _says(SessionDeleted, _session_deleted),
        _says(SessionActivated, _session_activated),
        _says(AutoSessionEnabled, _auto_enabled),
        _says(AutoSessionDisabled, _auto_disabled),
        _says(ConfigurationLoaded, _configuration_loaded),
        _says(PriceBookAdopted, _book_adopted),
        _says(RepricedFrom, _repriced),
        _says(RecordingGap, _recording_gap),
        _says(ReadModelRebuilt, _rebuilt),
        _says(DatabaseVacuumed, _vacuumed),
        _says(ContentMasked, _content_masked),
        _says(OutputsMasked, _outputs_masked),
        _says(ContentRetrieved, _retrieved),
        _says(SanitizerEnabled, _sanitizer_enabled),
        _says(SanitizerDisabled, _sanitizer_disabled),
        _says(CompactionPerformed, _compaction),
        _says(CompressionPerformed, _compression),
        _says(CompressionFailed, _compression_failed),
        _says(CompactionReverted, _compaction_reverted),
        _says(AutoCompactionSkipped, _auto_skipped),
        _says(TokensReserved, _reserved),
        _says(AutoCompactionEnabled, _auto_compaction_enabled),
        _says(AutoCompactionDisabled, _auto_compaction_disabled),
        _says(MessagePinned, _pinned),
        _says(MessageUnpinned, _unpinned),
        _says(SessionErasureRequested, _erasure_requested),
        _says(SessionErased, _erased),
        _says(ExchangeReassigned, _reassigned),
        _says(SessionsMerged, _merged),
        _says(TaskUsageImported, _task_imported),
        _says(LedgerImported, _ledger_imported),
        _says(MemoryStored, _memory_stored),
        _says(MemoryRecalled, _memory_recalled),
        _says(MemoryPromoted, _memory_promoted),
        _says(MemoryDemoted, _memory_demoted),
        _says(MemoryForgotten, _memory_forgotten),
        _says(MemoryRestored, _memory_restored),
        _says(SessionForked, _forked),
        _says(ExchangeRefused, _refused),
        _says(ExchangeStarted, _exchange_started),
        _says(ExchangeCompleted, _completed),
        _says(ExchangeFailed, _failed),
        _says(ExchangeCancelled, _cancelled),
        _says(ExchangeInterrupted, _interrupted),
        _says(McpCallCompleted, _mcp_completed),
        _says(McpCallFailed, _mcp_failed),
        _says(McpCallRefused, _mcp_refused),
        _says(McpServerStarted, _mcp_started),
        _says(McpServerCrashed, _mcp_crashed),
        _says(ThoughtRecorded, _thought),
        _says(ContextStored, _context_stored),
        _says(ContextUpdated, _context_updated),
        _says(ContextDeleted, _context_deleted),
        _says(TextPruned, _text_pruned),
        _says(BreakerOpened, _breaker_opened),
    )
)
SEALED_WORDS = frozenset(
    (
        SessionStarted,
        SessionRenamed,
        ExchangeFailed,
        ExchangeReassigned,
        CompressionFailed,
        MessagePinned,
        MessageUnpinned,
        McpCallFailed,
        ThoughtRecorded,
        ContextStored,
        ContextUpdated,
    )
)  # whose words hold sealed fields
