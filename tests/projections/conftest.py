"""Connections that a test need not close itself."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from projections.catalogue import PROJECTIONS
from projections.declaration import Projection
from schema.registry import Event
from tests.projections.building import apply, memory, record

Given = Callable[..., sqlite3.Connection]


@pytest.fixture
def given() -> Iterator[Given]:
    """`given(events, projections=...)`: read tables in memory that hold those events."""
    opened: list[sqlite3.Connection] = []

    def tables(events: Iterable[Event], projections: Sequence[Projection] = PROJECTIONS) -> sqlite3.Connection:
        opened.append(memory())
        progress = apply(opened[-1], projections, record(events))
        assert [each.error for each in progress if each.error] == []
        return opened[-1]

    yield tables
    for db in opened:
        db.close()
