"""Every event as one line."""

from projections.timeline import TIMELINE
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompressionFailed,
    MessagePinned,
    MessageUnpinned,
    TokensReserved,
)
from schema.context import ContentMasked, ContentRetrieved, OutputsMasked, SanitizerDisabled, SanitizerEnabled
from schema.exchanges import ExchangeRefused, Usage
from schema.sessions import SessionDeleted, SessionRenamed
from schema.workspace import (
    AutoSessionDisabled,
    AutoSessionEnabled,
    ConfigurationLoaded,
    DatabaseVacuumed,
    ReadModelRebuilt,
    RecordingGap,
    SessionActivated,
)
from tests.projections.building import (
    START_MS,
    cancelled,
    compacted,
    completed,
    compressed,
    failed,
    interrupted,
    measured,
    refs,
    replaced_output,
    session,
    started,
    undone,
)
from tests.projections.spec import Spec

_SUMMARIES = "SELECT position, session_id, exchange_id, summary FROM timeline ORDER BY position"

SPECS = (
    Spec(
        title="decisions about a context",
        projection=TIMELINE,
        given=(
            compacted(1),
            compressed(2, model="demo/echo"),
            CompressionFailed(session_id=1, model="demo/fail", error_code="http_500", error_message="no answer"),
            undone(2, kind="compression"),
            AutoCompactionSkipped(session_id=1, reason="cooldown", tokens=90_000, threshold_tokens=85_000),
            TokensReserved(session_id=1, from_=0, to=1_000),
            AutoCompactionDisabled(session_id=1),
            AutoCompactionEnabled(session_id=1),
            MessagePinned(session_id=1, ref="0123456789abcdef0", reason="the plan"),
            MessageUnpinned(session_id=1, ref="0123456789abcdef0"),
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
        select="SELECT summary FROM timeline ORDER BY position",
        rows=[
            ("compaction 1 of session 1 (manual): 100 to 40 tokens, 2 messages left out",),
            ("compression 2 of session 1 by demo/echo: 100 to 40 tokens, 2 messages left out",),
            ("no summary of session 1 by demo/fail (http_500): a digest took its place",),
            ("compression 2 of session 1 undone: 60 tokens restored",),
            ("session 1 not compacted by itself (cooldown): 90,000 of 85,000 tokens",),
            ("1,000 tokens reserved in session 1, before 0",),
            ("automatic compaction of session 1 switched off",),
            ("automatic compaction of session 1 switched on",),
            ("message 0123456789abcdef pinned in session 1",),
            ("message 0123456789abcdef unpinned in session 1",),
            (
                "2 requests were refused in session 1 (context_length_exceeded):"
                " 120,000 tokens, 100,000 allowed, demo/echo",
            ),
        ],
    ),
    Spec(
        title="a line carries the event's columns",
        projection=TIMELINE,
        given=(session(5, "Secret Plan"), SessionRenamed(session_id=5, from_="Secret Plan", to="Ünder")),
        select="SELECT * FROM timeline ORDER BY position",
        rows=[
            (
                *(1, "SessionStarted", 5, None, START_MS + 1000, "api", "cline", "request-1", None),
                "session 5 started (manual)",
                "sessionstarted session 5 started (manual) demo demo/echo",
                "secret plan",
                1,
            ),
            (
                *(2, "SessionRenamed", 5, None, START_MS + 2000, "api", "cline", "request-2", None),
                "session 5 renamed",
                "sessionrenamed session 5 renamed",
                "secret plan ünder",
                1,
            ),
        ],
    ),
    Spec(
        title="decisions about sessions and the workspace",
        projection=TIMELINE,
        given=(
            session(2, origin="auto", rule="hash_chain"),
            SessionActivated(session_id=2, previous_id=1),
            SessionActivated(session_id=3),
            SessionDeleted(session_id=1, reason="tidy"),
            AutoSessionDisabled(),
            AutoSessionEnabled(),
            ConfigurationLoaded(values={}, hash="0123456789abcdef"),
            RecordingGap(from_=1, to=2, count=1_234),
            ReadModelRebuilt(names=("timeline",), events=1_000, equal=True),
            DatabaseVacuumed(before_bytes=12_345, after_bytes=1_234),
            ContentMasked(session_id=3, stage="truncate", output=replaced_output("a", after=40)),
            OutputsMasked(
                session_id=3, outputs=(replaced_output("b", after=4),) * 2, tokens_saved=1_920, trigger="cache_price"
            ),
            ContentRetrieved(session_id=3, hash="0123456789abcdef0123", retrieved_by="user"),
            SanitizerDisabled(),
            SanitizerEnabled(),
            RecordingGap(from_=1, to=2, count=4, upto=1_234),
        ),
        select=_SUMMARIES,
        rows=[
            (1, 2, None, "session 2 started (auto, hash_chain)"),
            (2, 2, None, "session 2 activated, before 1"),
            (3, 3, None, "session 3 activated"),
            (4, 1, None, "session 1 deleted"),
            (5, None, None, "automatic sessions switched off"),
            (6, None, None, "automatic sessions switched on"),
            (7, None, None, "configuration 0123456789ab loaded"),
            (8, None, None, "1,234 events were not recorded: the log could not be written"),
            (9, None, None, "read tables made anew from 1,000 events: as before"),
            (10, None, None, "files made smaller: 12,345 to 1,234 bytes"),
            (11, 3, None, "output of bash shortened in session 3: 100 to 40 tokens (truncate)"),
            (12, 3, None, "2 old outputs masked in session 3: 1,920 tokens saved (cache_price)"),
            (13, 3, None, "masked content 0123456789abcdef retrieved by the user"),
            (14, None, None, "sanitizer switched off"),
            (15, None, None, "sanitizer switched on"),
            (16, None, None, "4 events are lost: the log had reached event 1,234"),
        ],
    ),
    Spec(
        title="an exchange's end names the model of its start",
        projection=TIMELINE,
        given=(
            started(12, 5, model_sent="demo/echo", received=refs("a", "b", tokens=1500)),
            completed(12, 5, usage=measured(1024, 200)),
            *(started(13, 5), failed(13, 5)),
            *(started(14, 5), cancelled(14, 5, usage=Usage(source="estimated", prompt_tokens=7))),
            *(started(15, 5), interrupted(15, 5)),
        ),
        select=f"SELECT * FROM ({_SUMMARIES}) WHERE position IN (1, 2, 4, 6, 8)",
        rows=[
            (1, 5, 12, "exchange 12 started in session 5: 2 messages, about 1,500 tokens, demo/echo"),
            (2, 5, 12, "exchange 12 completed: 1,024 + 200 tokens, demo/echo"),
            (4, 5, 13, "exchange 13 failed (upstream_timeout): demo/echo"),
            (6, 5, 14, "exchange 14 cancelled by the client: about 7 + 0 tokens, demo/echo"),
            (8, 5, 15, "exchange 15 interrupted (found_open): demo/echo"),
        ],
    ),
    Spec(
        title="an exchange is found by its models and error, never by contents",
        projection=TIMELINE,
        given=(started(1, preview="my secret", client_family="aider"), failed(1, model_answered="Echo-2")),
        select="SELECT search, sealed FROM timeline ORDER BY position",
        rows=[
            (
                "exchangestarted exchange 1 started in session 1: 1 messages, about 10 tokens, demo/echo demo/echo"
                " aider hash_chain",
                None,
            ),
            ("exchangefailed exchange 1 failed (upstream_timeout): demo/echo echo-2", "no answer in 60 s"),
        ],
    ),
)
