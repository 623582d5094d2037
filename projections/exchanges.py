"""Exchanges: one row each, added when it starts and completed when it ends. Before its end it reads as running."""

import sqlite3

from projections.declaration import Projection, on
from projections.exchange_fold import OUTCOMES, ExchangeRows
from projections.exchange_rows import SHOWN, ExchangeRow, exchange_row
from projections.exchange_totals import TOTALS_TABLES
from projections.homes import HOMES_TABLES, at_home, home_condition
from projections.prices import PRICES_TABLES, priced
from projections.refs import REFS_TABLE, expanded_refs
from projections.usage_totals import USAGE_TABLES
from schema.erasure import SessionErased
from schema.exchanges import ExchangeStarted
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, RepricedFrom

TABLES = (
    "CREATE TABLE exchanges("
    "started_position INTEGER PRIMARY KEY, exchange_id INTEGER NOT NULL UNIQUE,"
    " session_id INTEGER NOT NULL, started_at INTEGER NOT NULL, api TEXT NOT NULL, model_requested TEXT,"
    " model_sent TEXT NOT NULL, provider TEXT NOT NULL, stream INTEGER NOT NULL, rule TEXT NOT NULL, branch TEXT,"
    " parent_id INTEGER, client_family TEXT, received_count INTEGER NOT NULL, received_tokens INTEGER NOT NULL,"
    " system_tokens INTEGER NOT NULL, memory_tokens INTEGER NOT NULL, sent_count INTEGER,"
    " sent_tokens INTEGER, envelope_ref TEXT NOT NULL,"
    " sent_envelope_ref TEXT, skipped_reason TEXT, steps TEXT, preview TEXT,"
    " finished_position INTEGER, finished_at INTEGER, outcome TEXT, usage_source TEXT, prompt_tokens INTEGER,"
    " completion_tokens INTEGER, total_tokens INTEGER, cached_tokens INTEGER, cache_write_tokens INTEGER,"
    " reasoning_tokens INTEGER, overhead_ms REAL, ttft_ms REAL, duration_ms REAL, answer_ref TEXT, other_refs TEXT,"
    " finish_reason TEXT, http_status INTEGER, attempts INTEGER, model_answered TEXT, upstream_request_id TEXT,"
    " error_code TEXT, error_message TEXT, tries TEXT, last_provider TEXT, last_model TEXT, last_envelope_ref TEXT,"
    " cache_write_1h_tokens INTEGER, service_tier TEXT) STRICT",
    "CREATE INDEX exchanges_of_session ON exchanges(session_id, started_position)",
    "CREATE INDEX exchanges_of_model ON exchanges(model_sent, started_position)",
    "CREATE INDEX exchanges_fell_back ON exchanges(last_model, started_position) WHERE last_model IS NOT NULL",
    # holds all that is asked of exchanges by the name that their client used, so that counting them touches no rows
    "CREATE INDEX exchanges_of_requested ON exchanges(model_requested, started_position, finished_position, outcome,"
    " model_sent, last_model) WHERE model_requested <> model_sent OR last_model IS NOT NULL",
    "CREATE INDEX exchanges_by_outcome ON exchanges(outcome, started_position, finished_position)"
    " WHERE outcome IS NOT NULL",
    REFS_TABLE,
    *TOTALS_TABLES,
    *HOMES_TABLES,
    *PRICES_TABLES,
    *USAGE_TABLES,
)


def get_exchange(db: sqlite3.Connection, exchange_id: int, *, at: int) -> ExchangeRow | None:
    """The exchange, or None where it had not started."""
    row = db.execute(
        f"SELECT {SHOWN} FROM exchanges WHERE exchange_id = ? AND started_position <= ?", (exchange_id, at)
    ).fetchone()
    return priced(db, at_home(db, [exchange_row(row, at=at)], at=at), at=at)[0] if row else None


def recent_metrics(db: sqlite3.Connection, session_id: int, *, at: int, limit: int) -> list[ExchangeRow]:
    """The session's last exchanges, newest first; also those of a deleted session."""
    return _of_session(db, session_id, at=at, end=at, limit=limit)


def metrics_page(
    db: sqlite3.Connection, session_id: int, *, at: int, before: int | None, limit: int
) -> list[ExchangeRow]:
    """The session's exchanges that started before event `before` (None: the latest), newest first."""
    end = at if before is None else min(at, before - 1)
    return _of_session(db, session_id, at=at, end=end, limit=limit)


def _of_session(db: sqlite3.Connection, session_id: int, *, at: int, end: int, limit: int) -> list[ExchangeRow]:
    condition = home_condition(db, session_id) or "session_id = :session_id"
    rows = db.execute(
        f"SELECT {SHOWN} FROM exchanges WHERE {condition} AND started_position <= :end"
        " ORDER BY started_position DESC LIMIT :limit",
        {"session_id": session_id, "at": at, "end": end, "limit": limit},
    )
    return priced(db, at_home(db, [exchange_row(row, at=at) for row in rows], at=at), at=at)


def exchange_refs(
    db: sqlite3.Connection, exchange_id: int, *, at: int
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The full lists of refs (received, sent), or None where the exchange had not started.

    Raises LookupError when a list's base is not there."""
    if get_exchange(db, exchange_id, at=at) is None:
        return None
    return expanded_refs(db, exchange_id, sent=False), expanded_refs(db, exchange_id, sent=True)


EXCHANGES = Projection(
    name="exchanges",
    version=13,
    tables=TABLES,
    fold=ExchangeRows,
    handles=dict(
        (
            on(ExchangeStarted, ExchangeRows.started),
            *(on(cls, ExchangeRows.finished) for cls in OUTCOMES),
            on(SessionErased, ExchangeRows.erased),
            on(ExchangeReassigned, ExchangeRows.reassigned),
            on(SessionsMerged, ExchangeRows.merged),
            on(PriceBookAdopted, ExchangeRows.adopted),
            on(RepricedFrom, ExchangeRows.repriced),
        )
    ),
)
