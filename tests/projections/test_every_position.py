"""Every query, asked at every position of a history, answers what a plain fold of the events up to there says."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypothesis import given

from projections.catalogue import PROJECTIONS
from schema.recorded import Recorded
from tests.projections.building import apply, memory
from tests.projections.checks import (
    check_compactions,
    check_exchanges,
    check_timeline,
    check_totals_of_sessions,
    check_workspace_and_sessions,
)
from tests.projections.histories import histories, tried
from tests.projections.oracle import Oracle


@contextmanager
def _positions(events: Sequence[Recorded]) -> Iterator[Iterator[tuple[sqlite3.Connection, int, Oracle]]]:
    """The tables that hold all `events`, with each position and what is true there."""
    db = memory()
    try:
        assert all(progress.error is None for progress in apply(db, PROJECTIONS, events))
        yield ((db, at, Oracle(events[:at])) for at in range(len(events) + 1))
    finally:
        db.close()


@tried
@given(histories())
def test_workspace_and_sessions(events: list[Recorded]) -> None:
    with _positions(events) as positions:
        for db, at, oracle in positions:
            check_workspace_and_sessions(db, at, oracle)


@tried
@given(histories())
def test_exchanges(events: list[Recorded]) -> None:
    with _positions(events) as positions:
        for db, at, oracle in positions:
            check_exchanges(db, at, oracle)


@tried
@given(histories())
def test_totals_of_sessions(events: list[Recorded]) -> None:
    with _positions(events) as positions:
        for db, at, oracle in positions:
            check_totals_of_sessions(db, at, oracle)


@tried
@given(histories())
def test_compactions(events: list[Recorded]) -> None:
    with _positions(events) as positions:
        for db, at, oracle in positions:
            check_compactions(db, at, oracle)


@tried
@given(histories())
def test_timeline(events: list[Recorded]) -> None:
    with _positions(events) as positions:
        for db, at, oracle in positions:
            check_timeline(db, at, oracle)
