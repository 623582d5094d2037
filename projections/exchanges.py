"""Exchanges: one row each, added when it starts and completed when it ends. Before its end it reads as running."""

import sqlite3

from projections.declaration import Projection, on
from projections.exchange_rows import COLUMNS, FINISHED, STARTED, ExchangeRow, Outcome, exchange_row
from projections.exchange_totals import TOTALS_TABLES, count_finished, count_started
from projections.refs import REFS_TABLE, expanded_refs, keep_refs
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
)
from schema.recorded import Recorded

TABLES = (
    "CREATE TABLE exchanges("
    "started_position INTEGER PRIMARY KEY, exchange_id INTEGER NOT NULL UNIQUE,"
    " session_id INTEGER NOT NULL, started_at INTEGER NOT NULL, api TEXT NOT NULL, model_requested TEXT,"
    " model_sent TEXT NOT NULL, provider TEXT NOT NULL, stream INTEGER NOT NULL, rule TEXT NOT NULL, branch TEXT,"
    " parent_id INTEGER, client_family TEXT, received_count INTEGER NOT NULL, received_tokens INTEGER NOT NULL,"
    " sent_count INTEGER, sent_tokens INTEGER, envelope_ref TEXT NOT NULL, sent_envelope_ref TEXT,"
    " skipped_reason TEXT, preview TEXT,"
    " finished_position INTEGER, finished_at INTEGER, outcome TEXT, usage_source TEXT, prompt_tokens INTEGER,"
    " completion_tokens INTEGER, total_tokens INTEGER, cached_tokens INTEGER, cache_write_tokens INTEGER,"
    " reasoning_tokens INTEGER, overhead_ms REAL, ttft_ms REAL, duration_ms REAL, answer_ref TEXT, other_refs TEXT,"
    " finish_reason TEXT, http_status INTEGER, attempts INTEGER, model_answered TEXT, upstream_request_id TEXT,"
    " error_code TEXT, error_message TEXT) STRICT",
    "CREATE INDEX exchanges_of_session ON exchanges(session_id, started_position)",
    "CREATE INDEX exchanges_of_model ON exchanges(model_sent, started_position)",
    "CREATE INDEX exchanges_by_outcome ON exchanges(outcome, started_position, finished_position)"
    " WHERE outcome IS NOT NULL",
    REFS_TABLE,
    *TOTALS_TABLES,
)
_STARTED_MARKS = ", ".join("?" * len(STARTED.split(", ")))
_INSERT = f"INSERT INTO exchanges({STARTED}) VALUES ({_STARTED_MARKS})"
_FINISH = f"UPDATE exchanges SET ({FINISHED}) = ({', '.join('?' * len(FINISHED.split(', ')))}) WHERE exchange_id = ?"


def get_exchange(db: sqlite3.Connection, exchange_id: int, *, at: int) -> ExchangeRow | None:
    """The exchange, or None where it had not started."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM exchanges WHERE exchange_id = ? AND started_position <= ?", (exchange_id, at)
    ).fetchone()
    return exchange_row(row, at=at) if row else None


def recent_metrics(db: sqlite3.Connection, session_id: int, *, at: int, limit: int) -> list[ExchangeRow]:
    """The session's last exchanges, newest first; also those of a deleted session."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM exchanges WHERE session_id = ? AND started_position <= ?"
        " ORDER BY started_position DESC LIMIT ?",
        (session_id, at, limit),
    )
    return [exchange_row(row, at=at) for row in rows]


def exchange_refs(
    db: sqlite3.Connection, exchange_id: int, *, at: int
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The full lists of refs (received, sent), or None where the exchange had not started.

    Raises LookupError when a list's base is not there."""
    if get_exchange(db, exchange_id, at=at) is None:
        return None
    return expanded_refs(db, exchange_id, sent=False), expanded_refs(db, exchange_id, sent=True)


def _started(db: sqlite3.Connection, recorded: Recorded, event: ExchangeStarted) -> None:
    sent, resolution = event.sent, event.resolution
    db.execute(
        _INSERT,
        (
            recorded.position,
            event.exchange_id,
            event.session_id,
            recorded.timestamp,
            event.api,
            event.model_requested,
            event.model_sent,
            event.provider,
            event.stream,
            resolution.rule,
            resolution.branch,
            resolution.parent_id,
            event.client_family,
            event.received.count,
            event.received.tokens,
            sent.count if sent else None,
            sent.tokens if sent else None,
            event.envelope_ref,
            event.sent_envelope_ref,
            event.skipped_reason,
            event.preview,
        ),
    )
    keep_refs(db, event.exchange_id, event.received, sent=False)
    if sent:
        keep_refs(db, event.exchange_id, sent, sent=True)
    count_started(db, recorded.position, event.model_sent)


def _finished(db: sqlite3.Connection, recorded: Recorded, event: Finished) -> None:
    usage, timings = event.usage, event.timings
    failed = event if isinstance(event, ExchangeFailed) else None
    db.execute(
        _FINISH,
        (
            recorded.position,
            recorded.timestamp,
            OUTCOMES[type(event)],
            usage.source,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
            timings.overhead_ms,
            timings.ttft_ms,
            timings.duration_ms,
            event.answer_ref,
            " ".join(event.other_refs),
            event.finish_reason,
            event.http_status,
            event.attempts,
            event.model_answered,
            event.upstream_request_id,
            failed.error_code if failed else None,
            failed.error_message if failed else None,
            event.exchange_id,
        ),
    )
    count_finished(db, recorded.position, event.exchange_id, OUTCOMES[type(event)])


OUTCOMES: dict[type[Finished], Outcome] = {
    ExchangeCompleted: "completed",
    ExchangeFailed: "failed",
    ExchangeCancelled: "cancelled",
    ExchangeInterrupted: "interrupted",
}

EXCHANGES = Projection(
    name="exchanges",
    version=1,
    tables=TABLES,
    handles=dict((on(ExchangeStarted, _started), *(on(cls, _finished) for cls in OUTCOMES))),
)
