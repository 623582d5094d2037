"""What pages of a long log cost."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest

from projections.catalogue import PROJECTIONS
from projections.exchange_lists import list_exchanges
from projections.exchanges import exchange_refs, recent_metrics
from projections.session_stats import session_stats
from projections.sessions import get_session, list_sessions
from projections.timeline import list_events, position_at_time
from schema.registry import Event
from tests.projections.building import START_MS, apply, completed, interrupted, memory, record, session, started

ORDINARY: dict[str, Callable[[sqlite3.Connection], object]] = {
    "sessions": lambda db: list_sessions(db, at=900, limit=20),
    "session": lambda db: get_session(db, 3, at=900),
    "stats": lambda db: session_stats(db, 3, at=900),
    "metrics": lambda db: recent_metrics(db, 3, at=900, limit=20),
    "exchanges": lambda db: list_exchanges(db, at=900, limit=20),
    "running": lambda db: list_exchanges(db, at=900, outcome="running", limit=20),
    "of a model": lambda db: list_exchanges(db, at=900, model="echo", limit=20),
    "completed": lambda db: list_exchanges(db, at=900, outcome="completed", limit=20),
    "failed of a model": lambda db: list_exchanges(db, at=900, outcome="failed", model="echo", limit=20),
    "of a session": lambda db: list_exchanges(db, at=900, outcome="completed", model="echo", session_id=3, limit=20),
    "exchange": lambda db: exchange_refs(db, 7, at=900),
    "events": lambda db: list_events(db, at=900, limit=20),
    "events of types": lambda db: list_events(db, at=900, types=["ExchangeStarted", "SessionStarted"], limit=20),
    "events of a session": lambda db: list_events(db, at=900, session_id=3, types=["ExchangeStarted"], limit=20),
    "time": lambda db: position_at_time(db, START_MS + 400_000, at=900),
}
_MOST_STEPS = 40  # times 100 instructions of SQLite's machine


@pytest.fixture(scope="module")
def busy() -> Iterator[sqlite3.Connection]:
    """Tables of 6,005 events, nearly all of one long session."""
    events: list[Event] = [session(1), session(2), session(3), started(7, 3), completed(7, 3)]
    for number in range(100, 3_100):
        events += started(number, 4), (interrupted if number % 2 else completed)(number, 4)
    db = memory()
    apply(db, PROJECTIONS, record(events))
    yield db
    db.close()


@pytest.mark.parametrize("name", ORDINARY)
def test_a_page_costs_the_same_in_a_long_log(name: str, busy: sqlite3.Connection) -> None:
    """A bounded number of SQLite's instructions, and nothing is sorted."""
    db, statements, steps = busy, [], []  # type: sqlite3.Connection, list[str], list[int]
    ORDINARY[name](db)  # compile and cache the statements
    db.set_trace_callback(statements.append)
    db.set_progress_handler(lambda: steps.append(1), 100)
    ORDINARY[name](db)
    db.set_progress_handler(None, 0)
    db.set_trace_callback(None)
    plans = [row[3] for statement in statements for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
    assert len(steps) <= _MOST_STEPS
