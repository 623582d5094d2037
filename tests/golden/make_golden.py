"""Writes v1.events.sql and v1.keys.sql: `python -m tests.golden.make_golden`, on purpose only.

They are textual dumps of a small log of format 1 with every event type in it. The next part freezes the format: from
then on these two files are never written again, and a program of any later version must read them as the events below.
A new format gets files of its own beside them.
"""

import sqlite3
import tempfile
from concurrent.futures import Future
from pathlib import Path

from schema.appends import Append, Committed, Result
from schema.blobs import content_ref
from schema.context import (
    ContentMasked,
    ContentRetrieved,
    OutputsMasked,
    ReplacedOutput,
    SanitizerDisabled,
    SanitizerEnabled,
)
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    MessageRefs,
    Resolution,
    Timings,
    Usage,
)
from schema.idempotency import Idempotent
from schema.keys import KeyStore
from schema.log import EventLog
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
IDEMPOTENT = Idempotent(key=b"k" * 32, request=b"r" * 32)


def write(directory: Path) -> None:
    """A log of `EVENTS` in `directory`."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    result: Future[Result] = Future()
    writer = LogWriter(log, clock=lambda: TIMESTAMP * 1_000_000)
    writer.submit(Append(events=EVENTS, metadata=METADATA, idempotent=IDEMPOTENT), result.set_result)
    writer.start()
    writer.close()
    log.close()
    keys.close()
    if not isinstance(result.result(0), Committed):
        raise RuntimeError(result.result(0))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory))
        for name in NAMES:
            db = sqlite3.connect(Path(directory) / f"{name}.sqlite")
            (HERE / f"v1.{name}.sql").write_text("\n".join(db.iterdump()) + "\n", encoding="utf-8")
            db.close()


if __name__ == "__main__":
    main()
