"""Events of contexts as messages of /ws: what was masked, compacted, compressed and undone."""

from collections.abc import Mapping

from api import compaction_shapes, compression_shapes
from api.live_view import Fields, Said, Say, View, on
from api.times import iso
from projections.compaction import DecisionRow, decision_at
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    CompactionPerformed,
    CompactionReverted,
    CompressionPerformed,
    TokensReserved,
)
from schema.context import ContentMasked, ContentRetrieved, OutputsMasked, SanitizerDisabled, SanitizerEnabled
from schema.recorded import Recorded
from schema.registry import Event


def _sanitizer(view: View, recorded: Recorded, event: SanitizerEnabled | SanitizerDisabled) -> Said:
    change = {"type": "toggled", "enabled": isinstance(event, SanitizerEnabled)}
    yield "sanitizer_event", None, {"session_id": None, "event": change}


def _content_masked(view: View, recorded: Recorded, event: ContentMasked) -> Said:
    of = event.output
    yield _masked(event.session_id, [of.hash], of.tokens_before - of.tokens_after)


def _outputs_masked(view: View, recorded: Recorded, event: OutputsMasked) -> Said:
    yield _masked(event.session_id, [output.hash for output in event.outputs], event.tokens_saved)


def _masked(session_id: int, hashes: list[str], saved: int) -> tuple[str, int | None, Fields]:
    change = {"type": "masked", "hashes": [each[:16] for each in hashes], "tokens_saved": saved}
    return "sanitizer_event", session_id, {"session_id": session_id, "event": change}


def _retrieved(view: View, recorded: Recorded, event: ContentRetrieved) -> Said:
    change = {"type": "retrieved", "hashes": [event.hash[:16]]}
    yield "sanitizer_event", event.session_id, {"session_id": event.session_id, "event": change}


def _compacted(view: View, recorded: Recorded, event: CompactionPerformed) -> Said:
    row = _row(view, recorded)
    if row is None:
        return
    result = compaction_shapes.result(row)
    result.summary_text = view.redact(result.summary_text or "")
    fields: Fields = {
        "session_id": event.session_id,
        "timestamp": iso(recorded.timestamp),
        "history_id": event.history_id,
        "trigger_reason": event.trigger_reason,
        "compaction": {**result.model_dump(exclude_none=True), "trigger_reason": event.trigger_reason},
    }
    yield "compaction_event", event.session_id, fields


def _compressed(view: View, recorded: Recorded, event: CompressionPerformed) -> Said:
    row = _row(view, recorded)
    if row is None:
        return
    answer = compression_shapes.compressed(row)
    answer.summary = view.redact(answer.summary or "")
    fields: Fields = {
        "session_id": event.session_id,
        "timestamp": iso(recorded.timestamp),
        "compression": answer.model_dump(exclude_none=True),
    }
    yield "compression_event", event.session_id, fields


def _reverted(view: View, recorded: Recorded, event: CompactionReverted) -> Said:
    key = "history_id" if event.history_id is not None else "log_id"
    number = event.history_id if event.history_id is not None else event.log_id
    fields: Fields = {
        "session_id": event.session_id,
        "kind": event.kind,
        key: number,
        "tokens_restored": event.tokens_restored,
    }
    yield "compaction_reverted", event.session_id, fields


def _reserved(view: View, recorded: Recorded, event: TokensReserved) -> Said:
    fields: Fields = {"session_id": event.session_id, "reserved_tokens": event.to}
    yield "reserved_tokens_updated", event.session_id, fields


def _auto_toggled(view: View, recorded: Recorded, event: AutoCompactionEnabled | AutoCompactionDisabled) -> Said:
    fields: Fields = {
        "session_id": event.session_id,
        "enabled": isinstance(event, AutoCompactionEnabled),
        "timestamp": iso(recorded.timestamp),
    }
    yield "auto_compaction_toggled", event.session_id, fields


def _row(view: View, recorded: Recorded) -> DecisionRow | None:
    return decision_at(view.db, recorded.position)


SAYS: Mapping[type[Event], Say] = dict(
    (
        on(SanitizerEnabled, _sanitizer),
        on(SanitizerDisabled, _sanitizer),
        on(ContentMasked, _content_masked),
        on(OutputsMasked, _outputs_masked),
        on(ContentRetrieved, _retrieved),
        on(CompactionPerformed, _compacted),
        on(CompressionPerformed, _compressed),
        on(CompactionReverted, _reverted),
        on(TokensReserved, _reserved),
        on(AutoCompactionEnabled, _auto_toggled),
        on(AutoCompactionDisabled, _auto_toggled),
    )
)
