"""Writes NAME.events.sql and NAME.keys.sql: `python -m tests.golden.make_golden NAME`, on purpose and once only.

They are textual dumps of a small log of format 1. Once written they are never written again, and a program of any later
version must read them as the events below. New event types, and a new format, get files of their own beside them.
"""

import sqlite3
import sys
import tempfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from schema.appends import Append, Committed, Result
from schema.blobs import content_ref
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    CompressionFailed,
    CompressionPerformed,
    Inserted,
    LeftOut,
    MessagePinned,
    MessageUnpinned,
    PrefixEdit,
    TokensReserved,
)
from schema.context import (
    ContentMasked,
    ContentRetrieved,
    OutputsMasked,
    ReplacedOutput,
    SanitizerDisabled,
    SanitizerEnabled,
)
from schema.erasure import ErasedCounts, SessionErased, SessionErasureRequested
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeRefused,
    ExchangeStarted,
    MessageRefs,
    Resolution,
    Timings,
    Usage,
)
from schema.forking import CarriedContext, CarriedDecision, CarriedExchange, CarriedReplacement, SessionForked
from schema.gateway import (
    BreakerOpened,
    McpCallCompleted,
    McpCallFailed,
    McpCallRefused,
    McpServerCrashed,
    McpServerStarted,
)
from schema.idempotency import Idempotent
from schema.keys import KeyStore
from schema.ledgers import LedgerImported, ModelUsage, TaskUsageImported, WireMatch
from schema.log import EventLog
from schema.memory import (
    MemoryDemoted,
    MemoryForgotten,
    MemoryPromoted,
    MemoryRecalled,
    MemoryRestored,
    MemoryStored,
)
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.recorded import Body, Metadata, NewEvent
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
from schema.writer import LogWriter
from tests.golden.limit_events import limit_events
from tests.golden.server_state_events import server_state_events

HERE = Path(__file__).parent
NAMES = ("events", "keys")
TIMESTAMP = 1_790_000_000_000
METADATA = Metadata(actor="proxy", by="a client", correlation_id="0123456789abcdef", causation_position=1)

QUESTION, ENVELOPE, ANSWER = (
    Body(content_ref(data), data)
    for data in (b'{"role":"user","content":"Gr\xc3\xbc\xc3\x9fe?"}', b'{"model":"demo/echo"}', b'{"role":"assistant"}')
)
STARTED_1 = ExchangeStarted(
    session_id=1,
    exchange_id=1,
    model_requested="demo/echo",
    model_sent="echo",
    provider="demo",
    stream=True,
    resolution=Resolution(rule="new"),
    client_family="openai",
    received=MessageRefs(added=(QUESTION.ref,), count=1, tokens=7),
    envelope_ref=ENVELOPE.ref,
    chain="1" * 32,
    preview="Grüße?",
)
COMPLETED_1 = ExchangeCompleted(
    session_id=1,
    exchange_id=1,
    usage=Usage(source="measured", prompt_tokens=7, completion_tokens=5, total_tokens=12, cached_tokens=3),
    usage_raw={"prompt_tokens": 7, "details": {"cached": [3, None, 0.5, True, 10**30]}},
    answer_ref=ANSWER.ref,
    other_refs=("f" * 64,),
    chain="2" * 32,
    finish_reason="stop",
    http_status=200,
    timings=Timings(overhead_ms=0.25, ttft_ms=12.5, duration_ms=250.0),
    attempts=2,
    model_answered="echo-1",
    upstream_request_id="req-1",
)
STARTED_2 = ExchangeStarted(
    session_id=1,
    exchange_id=2,
    model_sent="echo",
    provider="demo",
    resolution=Resolution(rule="hash_chain", branch="fork", parent_id=1),
    received=MessageRefs(base_exchange=1, keep=1, added=("a" * 64, "b" * 64), count=3, tokens=30),
    sent=MessageRefs(base_exchange=1, keep=1, added=("c" * 64,), count=2, tokens=20),
    envelope_ref=ENVELOPE.ref,
    sent_envelope_ref="d" * 64,
    skipped_reason="not_worth_it",
)
FAILED_2 = ExchangeFailed(
    session_id=1,
    exchange_id=2,
    usage=Usage(),
    http_status=502,
    timings=Timings(),
    error_code="upstream_error",
    error_message="no answer",
)
CANCELLED_3 = ExchangeCancelled(session_id=2, exchange_id=3, usage=Usage(source="none"), timings=Timings())
INTERRUPTED_4 = ExchangeInterrupted(
    session_id=2,
    exchange_id=4,
    usage=Usage(source="estimated", prompt_tokens=4, total_tokens=4, cache_write_tokens=1, reasoning_tokens=2),
    timings=Timings(),
    cause="found_open",
)
STARTED_SESSION = SessionStarted(
    session_id=1,
    name="Grüße?",
    provider="demo",
    model="echo",
    origin="header",
    rule="session_header",
    parent_id=None,
    client_family="openai",
    key_hash="k" * 64,
    scope="s" * 64,
)
OUTPUT = ReplacedOutput(
    key="0" * 32,
    hash="a" * 64,
    ref="b" * 64,
    replacement_ref="c" * 64,
    at=7,
    within="1" * 32,
    tool="bash",
    tokens_before=100,
    tokens_after=20,
)
EVENTS = (
    NewEvent(
        "workspace",
        ConfigurationLoaded(values={"server": {"port": 8000, "hosts": []}}, hash="0" * 64, given=("server.hosts",)),
    ),
    NewEvent("workspace", STARTED_SESSION),
    NewEvent("workspace", SessionActivated(session_id=1)),
    NewEvent("exchange-1", STARTED_1, (QUESTION, ENVELOPE)),
    NewEvent("exchange-1", COMPLETED_1, (ANSWER,)),
    NewEvent("exchange-2", STARTED_2),
    NewEvent("exchange-2", FAILED_2),
    NewEvent("workspace", SessionStarted(session_id=2, name="", provider="demo", origin="auto", parent_id=1)),
    NewEvent("workspace", SessionActivated(session_id=2, previous_id=1)),
    NewEvent("session-1", SessionRenamed(session_id=1, from_="Grüße?", to="renamed")),
    NewEvent("exchange-3", CANCELLED_3),
    NewEvent("exchange-4", INTERRUPTED_4),
    NewEvent("workspace", AutoSessionDisabled()),
    NewEvent("workspace", AutoSessionEnabled()),
    NewEvent("workspace", SessionDeleted(session_id=1, reason="tidied up")),
    NewEvent("workspace", ReadModelRebuilt(names=("timeline",), events=15, equal=True, duration_ms=7, checksum="t=1")),
    NewEvent("workspace", RecordingGap(from_=TIMESTAMP - 2_000, to=TIMESTAMP - 1_000, count=3)),
    NewEvent("workspace", DatabaseVacuumed(before_bytes=20_480, after_bytes=16_384)),
    NewEvent("context-1", ContentMasked(session_id=1, stage="truncate", output=OUTPUT, preview="Grüße")),
    NewEvent(
        "context-1",
        OutputsMasked(session_id=1, outputs=(OUTPUT,), tokens_saved=80, trigger="idle", previews='["Grüße"]'),
    ),
    NewEvent("context-1", ContentRetrieved(session_id=1, hash="a" * 64, retrieved_by="user")),
    NewEvent("workspace", SanitizerDisabled()),
    NewEvent("workspace", SanitizerEnabled()),
)
DIGEST = Body(content_ref(b'{"role":"assistant","content":"-"}'), b'{"role":"assistant","content":"-"}')
COMPACTED = CompactionPerformed(
    session_id=1,
    history_id=1,
    decided_on=1,
    trigger_reason="auto_threshold",
    edit=PrefixEdit(cut=4, within="0" * 32, removed=((1, 3),), inserted=(Inserted(3, DIGEST.ref),)),
    removed_refs=("a" * 64, "b" * 64),
    summary_ref=DIGEST.ref,
    outputs=(LeftOut("c" * 64, "b" * 64, "bash", 50),),
    tokens_before=100,
    tokens_after=40,
    messages_before=6,
    messages_after=5,
    system_preserved=1,
    recent_preserved=2,
    summary="Grüße",
    previews='["Grüße"]',
)
COMPRESSED = CompressionPerformed(
    session_id=1,
    log_id=2,
    decided_on=2,
    trigger_reason="manual",
    edit=PrefixEdit(cut=3, within="1" * 32, removed=((0, 1), (2, 3)), inserted=(), builds_on=1),
    removed_refs=("d" * 64, "e" * 64),
    summary_ref=DIGEST.ref,
    tokens_before=40,
    tokens_after=10,
    messages_before=5,
    messages_after=3,
    system_preserved=0,
    recent_preserved=2,
    summary="shorter",
    model="demo/echo",
    summary_exchange_id=3,
)
COMPACTION_EVENTS = (
    NewEvent("workspace", STARTED_SESSION),
    NewEvent("session-1", TokensReserved(session_id=1, from_=0, to=1_000)),
    NewEvent("session-1", AutoCompactionDisabled(session_id=1)),
    NewEvent("session-1", AutoCompactionEnabled(session_id=1)),
    NewEvent("session-1", COMPACTED, (DIGEST,)),
    NewEvent("exchange-1", msgspec.structs.replace(STARTED_1, over_threshold=True), (QUESTION, ENVELOPE)),
    NewEvent(
        "session-1", AutoCompactionSkipped(session_id=1, reason="cooldown", tokens=90_000, threshold_tokens=85_000)
    ),
    NewEvent(
        "session-1",
        CompressionFailed(session_id=1, model="demo/fail", error_code="http_500", error_message="no answer"),
    ),
    NewEvent("session-1", COMPRESSED, (DIGEST,)),
    NewEvent(
        "session-1",
        CompactionReverted(session_id=1, kind="compression", log_id=2, restored_refs=("d" * 64,), tokens_restored=30),
    ),
    NewEvent("session-1", MessagePinned(session_id=1, ref="a" * 64, reason="the plan")),
    NewEvent("session-1", MessageUnpinned(session_id=1, ref="a" * 64)),
    NewEvent(
        "context-1",
        ExchangeRefused(
            session_id=1,
            code="context_length_exceeded",
            count=2,
            tokens=120_000,
            limit=100_000,
            model_sent="echo",
            provider="demo",
        ),
    ),
)
ERASURE_EVENTS = (
    NewEvent("workspace", STARTED_SESSION),
    NewEvent(
        "workspace",
        SessionErasureRequested(session_id=1, counts=ErasedCounts(messages=3, masks=2, memories=1, previews=4)),
    ),
    NewEvent(
        "workspace",
        SessionErased(
            session_id=1,
            key_id="a" * 64,
            erased_at=TIMESTAMP,
            counts=ErasedCounts(messages=3, masks=2, memories=1, previews=4),
            reason="asked for",
        ),
    ),
)
MOVING_EVENTS = (
    NewEvent("workspace", STARTED_SESSION),
    NewEvent("exchange-1", STARTED_1, (QUESTION, ENVELOPE)),
    NewEvent(
        "workspace",
        ExchangeReassigned(session_id=2, exchange_id=1, from_=1, to=2, preview="Grüße?", error_message="no answer"),
        (QUESTION, ENVELOPE),
    ),
    NewEvent(
        "workspace",
        SessionsMerged(
            session_id=2, target_id=2, source_ids=(1, 3), exchanges_moved=4, memories_moved=1, compactions_moved=2
        ),
    ),
)
_ASKED: dict[str, Any] = {
    "session_id": 1,
    "server": "echo",
    "method": "tools/call",
    "tool": "long",
    "arguments_hash": "a" * 64,
    "arguments": '{"text":"Grüße"}',
}
GATEWAY_EVENTS = (
    NewEvent("workspace", STARTED_SESSION),
    NewEvent(
        "gateway", McpServerStarted(server="echo", transport="stdio", pid=7, protocol="2025-11-25", duration_ms=1.5)
    ),
    NewEvent(
        "gateway",
        McpCallCompleted(**_ASKED, outcome="ok", duration_ms=2.25, bytes=5_000, masks=("b" * 64,)),
    ),
    NewEvent(
        "gateway",
        ContentMasked(
            session_id=1,
            stage="truncate",
            output=ReplacedOutput("", "b" * 64, QUESTION.ref, "c" * 64, 0, "", "echo/long", 1_200, 1_000),
            preview="Grüße",
        ),
        (QUESTION,),
    ),
    NewEvent("gateway", McpCallCompleted(server="echo", method="tools/list", outcome="ok", duration_ms=0.5)),
    NewEvent(
        "gateway",
        McpCallFailed(
            **_ASKED, outcome="upstream_timeout", code=-32002, duration_ms=30_000.0, error_message="no answer"
        ),
    ),
    NewEvent("gateway", McpServerCrashed(server="echo", pid=7, exit_code=-9, calls=1, retry_ms=500)),
    NewEvent("gateway", BreakerOpened(server="echo", failures=5, outcome="upstream_unreachable", open_ms=30_000)),
    NewEvent("gateway", McpCallRefused(**_ASKED, outcome="circuit_open", code=-32002)),
)
LEDGER_EVENTS = (
    NewEvent(
        "ledgers",
        TaskUsageImported(
            tool="claude_code",
            task_id="0b0f-1",
            ledger="~/.claude/projects",
            ts=TIMESTAMP,
            started_at=TIMESTAMP - 1_000,
            model_id="claude",
            provider="anthropic",
            parent_id="0b0f-0",
            calls=2,
            tokens_in=1_000,
            tokens_out=200,
            cache_read_tokens=30,
            cache_write_tokens=4,
            reasoning_tokens=5,
            includes_cache=True,
            total_cost=0.1234567,
            precision="rounded",
            overlaps=True,
            models=(
                ModelUsage(model_id="claude", tokens_in=900, tokens_out=150, cache_read_tokens=30, total_cost=0.1),
                ModelUsage(model_id="other", tokens_in=100, tokens_out=50, cache_write_tokens=4),
            ),
            match=WireMatch(
                rule="calls",
                exchange_ids=(3, 4),
                calls=2,
                tokens_in=1_000,
                tokens_out=200,
                total_cost=0.1234567,
                wire_tokens_in=1_001,
                wire_tokens_out=200,
            ),
        ),
    ),
    NewEvent("ledgers", TaskUsageImported(tool="cline", task_id="1790000000000", ledger="~/a.json", ts=TIMESTAMP)),
    NewEvent(
        "ledgers",
        LedgerImported(
            ledger="~/a.json",
            tool="cline",
            kind="cline_history",
            rows=1,
            skipped=2,
            errors=3,
            latest_ts=TIMESTAMP,
            problems=("entry 1 is no JSON",),
        ),
    ),
)
REMEMBERED = Body(content_ref("Grüße an alle".encode()), "Grüße an alle".encode())
MEMORY_EVENTS = (
    NewEvent("workspace", STARTED_SESSION),
    NewEvent(
        "memory",
        MemoryStored(
            session_id=1,
            memory_id=1,
            memory_type="episodic",
            content_ref=REMEMBERED.ref,
            hash=REMEMBERED.ref[:16],
            tokens=5,
            metadata='{"title":"Grüße"}',
            preview="Grüße an alle",
        ),
        (REMEMBERED,),
    ),
    NewEvent(
        "memory",
        MemoryStored(
            session_id=1,
            memory_id=2,
            memory_type="semantic",
            content_ref=DIGEST.ref,
            hash=DIGEST.ref[:16],
            tokens=7,
            origin="detected",
            exchange_id=1,
            message_ref="a" * 64,
            supersedes=(1,),
        ),
        (DIGEST,),
    ),
    NewEvent("memory", MemoryRecalled(memory_ids=(1, 2), cause="search")),
    NewEvent("memory", MemoryRecalled(session_id=1, memory_ids=(2,), cause="restored")),
    NewEvent("memory", MemoryPromoted(session_id=1, memory_id=1, from_="episodic", to="frequent")),
    NewEvent("memory", MemoryDemoted(session_id=1, memory_id=1, from_="frequent", to="episodic")),
    NewEvent("memory", MemoryForgotten(session_id=1, memory_id=1, cause="compressed", superseded_by=2)),
    NewEvent("memory", MemoryRestored(session_id=1, memory_id=1)),
)
PRICE_EVENTS = (
    NewEvent(
        "workspace",
        PriceBookAdopted(
            content=(
                PriceRow(model="echo", input=1_250_000, output=10_000_000),
                PriceRow(
                    model="echo",
                    provider="demo",
                    from_="2026-11-01",
                    service_tier="flex",
                    above=200_000,
                    input=625_000,
                    output=5_000_000,
                    cache_read=62_500,
                    cache_write=781_250,
                    cache_write_1h=1_250_000,
                ),
            ),
            hash="e" * 64,
        ),
    ),
    NewEvent("workspace", STARTED_SESSION),
    NewEvent("exchange-1", STARTED_1, (QUESTION, ENVELOPE)),
    NewEvent("exchange-1", msgspec.structs.replace(COMPLETED_1, service_tier="flex"), (ANSWER,)),
    NewEvent("workspace", RepricedFrom(book="e" * 64, from_=3)),
)
FORKING_EVENTS = (
    NewEvent("workspace", STARTED_SESSION),
    NewEvent(
        "workspace",
        SessionForked(
            session_id=1,
            source_id=9,
            at=120,
            exchange=CarriedExchange(
                exchange_id=4,
                received=MessageRefs(added=(QUESTION.ref, "a" * 64), count=2, tokens=20, system_tokens=5),
                sent=MessageRefs(added=(QUESTION.ref,), count=1, tokens=10),
                envelope_ref=ENVELOPE.ref,
                sent_envelope_ref="b" * 64,
                answer_ref=ANSWER.ref,
                counted_tokens=10,
                measured_tokens=11,
            ),
            context=CarriedContext(
                reserved_tokens=1_000,
                auto=False,
                consecutive=1,
                compactions=2,
                tokens_saved=60,
                last_at=TIMESTAMP - 1_000,
                last_auto_at=TIMESTAMP - 2_000,
                skip_reason="cooldown",
            ),
            context_tokens=16,
            masks=(LeftOut("c" * 64, "b" * 64, "bash", 50),),
            replaced=(CarriedReplacement("truncate", OUTPUT),),
            decisions=(
                CarriedDecision(
                    kind="compression",
                    number=7,
                    copy_of=2,
                    performed_at=TIMESTAMP - 3_000,
                    decided_on=3,
                    trigger_reason="manual",
                    edit=COMPRESSED.edit,
                    removed_refs=("d" * 64,),
                    summary_ref=DIGEST.ref,
                    tokens_before=40,
                    tokens_after=10,
                    messages_before=5,
                    messages_after=3,
                    system_preserved=1,
                    recent_preserved=2,
                    model="demo/echo",
                ),
            ),
            pins=("a" * 64,),
            previews='["Grüße"]',
            summaries='["shorter"]',
            pin_reasons='["the plan"]',
        ),
        (QUESTION, ENVELOPE, ANSWER, DIGEST),
    ),
    NewEvent("workspace", SessionForked(session_id=2, source_id=1, at=1)),
)
GOLDEN = {
    "v1": EVENTS,
    "v1-compaction": COMPACTION_EVENTS,
    "v1-erasure": ERASURE_EVENTS,
    "v1-moving": MOVING_EVENTS,
    "v1-gateway": GATEWAY_EVENTS,
    "v1-ledgers": LEDGER_EVENTS,
    "v1-limits": (
        NewEvent("workspace", STARTED_SESSION),
        *limit_events(STARTED_1, COMPLETED_1, QUESTION, ENVELOPE, ANSWER),
    ),
    "v1-memory": MEMORY_EVENTS,
    "v1-server-state": (NewEvent("workspace", STARTED_SESSION), *server_state_events(QUESTION, ANSWER)),
    "v1-prices": PRICE_EVENTS,
    "v1-forking": FORKING_EVENTS,
}
IDEMPOTENT = Idempotent(key=b"k" * 32, request=b"r" * 32)


def write(directory: Path, events: tuple[NewEvent, ...]) -> None:
    """A log of `events` in `directory`."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    result: Future[Result] = Future()
    writer = LogWriter(log, clock=lambda: TIMESTAMP * 1_000_000)
    writer.submit(Append(events=events, metadata=METADATA, idempotent=IDEMPOTENT), result.set_result)
    writer.start()
    writer.close()
    log.close()
    keys.close()
    if not isinstance(result.result(0), Committed):
        raise RuntimeError(result.result(0))


def main(golden: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), GOLDEN[golden])
        for name in NAMES:
            db = sqlite3.connect(Path(directory) / f"{name}.sqlite")
            (HERE / f"{golden}.{name}.sql").write_text("\n".join(db.iterdump()) + "\n", encoding="utf-8")
            db.close()


if __name__ == "__main__":
    main(sys.argv[1])
