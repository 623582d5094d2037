"""What the session routes answer with, and the queries behind it."""

import sqlite3

import msgspec
from pydantic import BaseModel

from api import shapes
from commands.errors import session_not_found
from projections.exchange_rows import ExchangeRow
from projections.exchanges import recent_metrics
from projections.session_stats import StatsRow, session_stats
from projections.sessions import SessionRow, get_session
from projections.workspace import active_session_id, auto_session


class AutoStatus(BaseModel):
    """`session_id` is the active session."""

    enabled: bool
    session_id: int | None


class Activated(BaseModel):
    message: str
    session_id: int
    session: shapes.Session


class DeleteResults(BaseModel):
    deleted_count: int
    failed_ids: list[int]


class Deleted(DeleteResults):
    """The counts stand twice: some clients look for them in `results`."""

    success: bool
    results: DeleteResults


class DetailRows(msgspec.Struct, frozen=True):
    """A session with its totals and newest exchanges, newest first."""

    session: SessionRow
    stats: StatsRow
    exchanges: list[ExchangeRow]


def deleted(count: int) -> Deleted:
    results = DeleteResults(deleted_count=count, failed_ids=[])
    return Deleted(success=True, deleted_count=count, failed_ids=[], results=results)


def living_session(db: sqlite3.Connection, session_id: int, *, at: int) -> SessionRow:
    """Raises NotFoundError for a session that did not exist or was deleted."""
    row = get_session(db, session_id, at=at)
    if row is None or row.deleted:
        raise session_not_found(session_id, row.merged_into if row is not None else None)
    return row


def session_rows(db: sqlite3.Connection, session_id: int, limit: int, *, at: int) -> DetailRows:
    """With at least the last exchange, whatever `limit`. Raises NotFoundError."""
    session = living_session(db, session_id, at=at)
    exchanges = recent_metrics(db, session_id, at=at, limit=max(limit, 1))
    return DetailRows(session, session_stats(db, session_id, at=at), exchanges)


def active_rows(db: sqlite3.Connection, limit: int, *, at: int) -> DetailRows | None:
    """Of the active session, None where there is none."""
    active = active_session_id(db, at=at)
    return None if active is None else session_rows(db, active, limit, at=at)


def first_rows(db: sqlite3.Connection, session_id: int | None, limit: int, *, at: int) -> DetailRows | None:
    """Of that session, or of the active one; None where there is none."""
    if session_id is None:
        return active_rows(db, limit, at=at)
    row = get_session(db, session_id, at=at)
    return None if row is None or row.deleted else session_rows(db, session_id, limit, at=at)


def auto_status(db: sqlite3.Connection, *, at: int) -> AutoStatus:
    return AutoStatus(enabled=auto_session(db, at=at).enabled, session_id=active_session_id(db, at=at))
