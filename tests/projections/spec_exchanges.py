"""Exchanges, one row each."""

from projections.exchanges import EXCHANGES
from schema.exchanges import Resolution
from tests.projections.building import (
    START_MS,
    cancelled,
    completed,
    failed,
    interrupted,
    measured,
    refs,
    started,
)
from tests.projections.spec import Spec

_END = "SELECT exchange_id, finished_position, outcome, error_code, error_message FROM exchanges ORDER BY exchange_id"


SPECS = (
    Spec(
        title="a started exchange says what was asked",
        projection=EXCHANGES,
        given=(
            started(
                3,
                8,
                stream=True,
                resolution=Resolution(rule="hash_chain", branch="fork", parent_id=7),
                client_family="aider",
                received=refs("a", "b", tokens=40),
                sent=refs("a", tokens=25),
                sent_envelope_ref="e2",
                skipped_reason="busy",
                preview="hello",
            ),
        ),
        select=(
            "SELECT started_position, exchange_id, session_id, started_at, api, model_requested, model_sent,"
            " provider, stream, rule, branch, parent_id, client_family, received_count, received_tokens, sent_count,"
            " sent_tokens, envelope_ref, sent_envelope_ref, skipped_reason, preview, finished_position, outcome"
            " FROM exchanges"
        ),
        rows=[
            (
                *(1, 3, 8, START_MS + 1000, "chat", "demo/echo", "echo", "demo", 1, "hash_chain", "fork", 7),
                *("aider", 2, 40, 1, 25, "e1", "e2", "busy", "hello", None, None),
            )
        ],
    ),
    Spec(
        title="message lists are kept as the differences of the event",
        projection=EXCHANGES,
        given=(started(1, received=refs("a", "b")), started(2, received=refs("c", base=1, keep=2), sent=refs("d"))),
        select="SELECT * FROM exchange_refs ORDER BY exchange_id, sent",
        rows=[(1, 0, None, 0, "a b"), (2, 0, 1, 2, "c"), (2, 1, None, 0, "d")],
    ),
    Spec(
        title="a completed exchange says what it used",
        projection=EXCHANGES,
        given=(
            started(1),
            completed(
                1,
                usage=measured(100, 20, cached_tokens=64, cache_write_tokens=8, reasoning_tokens=4),
                answer_ref="r1",
                other_refs=("r2", "r3"),
                finish_reason="stop",
                attempts=2,
                model_answered="echo-1",
                upstream_request_id="up-1",
            ),
        ),
        select=(
            "SELECT finished_position, finished_at, outcome, usage_source, prompt_tokens, completion_tokens,"
            " total_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, overhead_ms, ttft_ms, duration_ms,"
            " answer_ref, other_refs, finish_reason, http_status, attempts, model_answered, upstream_request_id"
            " FROM exchanges"
        ),
        rows=[
            (
                *(2, START_MS + 2000, "completed", "measured", 100, 20, 120, 64, 8, 4, 0.5, 20.0, 90.0),
                *("r1", "r2 r3", "stop", 200, 2, "echo-1", "up-1"),
            )
        ],
    ),
    Spec(
        title="each other end has its outcome, a failure its error",
        projection=EXCHANGES,
        given=(started(1), started(2), started(3), interrupted(3), failed(1), cancelled(2)),
        select=_END,
        rows=[
            (1, 5, "failed", "upstream_timeout", "no answer in 60 s"),
            (2, 6, "cancelled", None, None),
            (3, 4, "interrupted", None, None),
        ],
    ),
    Spec(
        title="each end adds a line of its model's running totals",
        projection=EXCHANGES,
        given=(started(1), started(2, model_sent="big"), started(3), failed(3), completed(2), cancelled(1)),
        select="SELECT * FROM exchange_totals ORDER BY position",
        rows=[
            ("echo", 4, 2, 0, 1, 0, 0),
            ("big", 5, 1, 1, 0, 0, 0),
            ("echo", 6, 2, 0, 1, 1, 0),
        ],
    ),
)
