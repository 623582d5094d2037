"""What events of sessions, settings and the store itself say."""

from collections.abc import Mapping

from projections.saying import Summary, Words, says
from schema.erasure import SessionErased, SessionErasureRequested
from schema.forking import SessionForked
from schema.ledgers import LedgerImported, TaskUsageImported
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, RepricedFrom
from schema.registry import Event
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
    if event.upto is not None:
        return f"{event.count:,} events are lost: the log had reached event {event.upto:,}", ()
    return f"{event.count:,} events were not recorded: the log could not be written", ()


def _rebuilt(event: ReadModelRebuilt, _: str) -> tuple[str, Words]:
    same = "as before" if event.equal else "other than before"
    return f"read tables made anew from {event.events:,} events: {same}", event.names


def _vacuumed(event: DatabaseVacuumed, _: str) -> tuple[str, Words]:
    return f"files made smaller: {event.before_bytes:,} to {event.after_bytes:,} bytes", ()


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


def _forked(event: SessionForked, _: str) -> tuple[str, Words]:
    text = f"session {event.session_id} goes on from session {event.source_id} as of event {event.at}"
    return f"{text}: about {event.context_tokens:,} tokens", ("fork",)


def _task_imported(event: TaskUsageImported, _: str) -> tuple[str, Words]:
    text = f"{event.tokens_in:,} tokens in and {event.tokens_out:,} out of {event.tool} task {event.task_id}"
    return f"{text} imported", (event.model_id, event.provider, event.ledger)


def _ledger_imported(event: LedgerImported, _: str) -> tuple[str, Words]:
    return f"{event.rows:,} tasks of {event.tool} imported, {event.errors:,} errors", (event.ledger, event.kind)


SESSIONS: Mapping[type[Event], Summary] = dict(
    (
        says(SessionStarted, _session_started),
        says(SessionRenamed, _session_renamed),
        says(SessionDeleted, _session_deleted),
        says(SessionActivated, _session_activated),
        says(AutoSessionEnabled, _auto_enabled),
        says(AutoSessionDisabled, _auto_disabled),
        says(ConfigurationLoaded, _configuration_loaded),
        says(PriceBookAdopted, _book_adopted),
        says(RepricedFrom, _repriced),
        says(RecordingGap, _recording_gap),
        says(ReadModelRebuilt, _rebuilt),
        says(DatabaseVacuumed, _vacuumed),
        says(SessionErasureRequested, _erasure_requested),
        says(SessionErased, _erased),
        says(ExchangeReassigned, _reassigned),
        says(SessionsMerged, _merged),
        says(TaskUsageImported, _task_imported),
        says(LedgerImported, _ledger_imported),
        says(SessionForked, _forked),
    )
)
