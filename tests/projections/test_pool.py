"""Readers beside the writer: each query sees one state of all tables."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.catalogue import PROJECTIONS
from projections.sessions import list_sessions
from projections.store import AtOutOfRangeError, ReadPool
from projections.timeline import list_events
from tests.projections.building import FakeLog, record, session
from tests.projections.rig import Rig, rig

EVENTS = record([session(number) for number in range(1, 401)])


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path / "read.sqlite", FakeLog(), PROJECTIONS, batch=3) as made:
        made.runner.start()
        yield made


@pytest.fixture
def pool(at: Rig) -> Iterator[ReadPool]:
    made = ReadPool(at.store.path, size=3)
    yield made
    made.close()


async def test_a_query_is_answered_at_the_head_or_at_a_position(at: Rig, pool: ReadPool) -> None:
    at.write(EVENTS[:10])
    await at.waiter.until(10)
    newest = await pool.run(list_sessions, limit=3)
    assert ([row.id for row in newest.value.rows], newest.at, newest.head) == ([10, 9, 8], 10, 10)
    earlier = await pool.run(list_sessions, at=4, limit=2, offset=1)
    assert ([row.id for row in earlier.value.rows], earlier.at, earlier.head) == ([3, 2], 4, 10)
    nothing = await pool.run(list_sessions, at=0, limit=2)
    assert (nothing.value.total, nothing.at) == (0, 0)


async def test_a_position_beyond_the_head_is_refused(at: Rig, pool: ReadPool) -> None:
    with pytest.raises(AtOutOfRangeError) as raised:
        await pool.run(list_sessions, at=1, limit=2)
    assert (raised.value.at, raised.value.head) == (1, 0)
    assert (await pool.run(list_sessions, limit=2)).head == 0


async def test_queries_cannot_write_and_their_errors_come_back(pool: ReadPool) -> None:
    def write(db: sqlite3.Connection, *, at: int) -> None:
        db.execute("DELETE FROM positions")

    for _ in range(6):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await pool.run(write)
    assert (await pool.run(list_sessions, limit=1)).value.rows == []


def _counts(db: sqlite3.Connection, *, at: int) -> tuple[int, int, int]:
    """Three figures that agree only where all is one state; the last is read after a while."""
    sessions, events = list_sessions(db, at=at, limit=1).total, list_events(db, at=at, limit=1).total
    for _ in range(50):
        (rows,) = db.execute("SELECT count(*) FROM timeline").fetchone()
    return sessions, events, rows


async def test_each_query_sees_one_state_while_events_are_applied(at: Rig, pool: ReadPool) -> None:
    def write() -> None:
        for first in range(0, 400, 4):
            at.write(EVENTS[first : first + 4])

    async def read() -> None:
        while True:
            read = await pool.run(_counts)
            assert read.value == (read.at, read.at, read.at)
            if read.at == 400:
                return

    writer = threading.Thread(target=write)
    writer.start()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(read())
    writer.join()
