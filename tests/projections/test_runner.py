"""The runner keeps up with the log: catching up, living on what it is fed, and through trouble."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from projections.catalogue import PROJECTIONS
from projections.runner import BUSY, BUSY_LINGER_S, LINGER_S, Runner
from projections.store import open_store
from projections.waiting import ProjectionLagError, Waiter
from schema.recorded import Recorded
from tests.projections.building import FakeLog, apply, completed, dump, memory, record, session, started
from tests.projections.rig import WITHIN_S, eventually, noting, rig


def _events(count: int, *, after: int = 0) -> list[Recorded]:
    return record([session(number) for number in range(after + 1, after + count + 1)], after=after)


def _same_as_at_once(events: list[Recorded]) -> dict[str, list[tuple[object, ...]]]:
    db = memory()
    try:
        apply(db, PROJECTIONS, events)
        return dump(db)
    finally:
        db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "read.sqlite"


def test_it_catches_up_in_batches_and_is_then_ready(path: Path) -> None:
    events = [*_events(20), *record([started(1), completed(1)], after=20)]
    with rig(path, FakeLog(events), batch=3) as at:
        assert not at.runner.ready
        assert set(at.states().values()) == {("rebuilding", 0)}
        at.runner.start()
        assert at.runner.wait_ready(WITHIN_S)
        at.wait(22)
        assert set(at.states().values()) == {("live", 22)}
        assert at.tables() == _same_as_at_once(events)


def test_it_is_ready_with_an_empty_log(path: Path) -> None:
    with rig(path, FakeLog()) as at:
        at.runner.start()
        assert at.runner.wait_ready(WITHIN_S)
        assert set(at.states().values()) == {("live", 0)}


def test_it_applies_what_it_is_fed(path: Path) -> None:
    events = _events(30)
    with rig(path, FakeLog()) as at:
        at.write(events[:5])  # before the start
        at.runner.start()
        for first in range(5, 30, 5):
            at.write(events[first : first + 5])
            at.wait(first + 5)
        assert at.tables() == _same_as_at_once(events)


def test_it_applies_without_anybody_waiting(path: Path) -> None:
    applied = threading.Event()
    with rig(path, FakeLog(), [noting(lambda _: applied.set())]) as at:
        at.runner.start()
        at.write(_events(1))
        assert applied.wait(WITHIN_S)


def test_whoever_waits_first_is_woken_by_the_feed(path: Path) -> None:
    async def wait_then_write() -> None:
        waiting = asyncio.get_running_loop().create_task(at.waiter.until(1, WITHIN_S))
        await asyncio.sleep(0)
        await asyncio.to_thread(at.write, _events(1))
        await waiting

    with rig(path, FakeLog()) as at:
        at.runner.start()
        asyncio.run(wait_then_write())


class _Impatience(threading.Event):
    """Somebody may want something; until then it notes for how long the runner would linger."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        return super().wait(timeout)


def test_it_gathers_for_longer_while_much_comes_in(path: Path) -> None:
    with rig(path, FakeLog()) as at:
        impatience = at.waiter.wanted = _Impatience()
        at.runner.start()
        assert at.runner.wait_ready(WITHIN_S)
        at.write(_events(1))
        eventually(lambda: len(impatience.asked) >= 2)  # before the transaction, and behind it
        assert set(impatience.asked) == {LINGER_S}
        impatience.asked.clear()
        at.write(_events(BUSY, after=1))
        eventually(lambda: BUSY_LINGER_S in impatience.asked)
        impatience.asked.clear()
        at.write(_events(1, after=BUSY + 1))
        eventually(lambda: impatience.asked[-1:] == [LINGER_S])
        at.wait(BUSY + 2)


def test_a_gap_is_read_from_the_log(path: Path) -> None:
    events = _events(9)
    with rig(path, FakeLog()) as at:
        at.runner.start()
        at.write(events[:2])
        at.log.events += events[2:6]
        at.write(events[6:7])
        at.log.events += events[7:8]
        at.write(events[8:])
        at.wait(9)
        assert at.tables() == _same_as_at_once(events)


def test_what_does_not_fit_is_read_from_the_log(path: Path) -> None:
    events = _events(200)
    with rig(path, FakeLog(), batch=7, max_queued=10) as at:
        at.write(events[:50])
        at.runner.start()
        for first in range(50, 200, 6):
            at.write(events[first : first + 6])
        at.wait(200)
        assert at.tables() == _same_as_at_once(events)


def test_stop_applies_what_was_fed(path: Path) -> None:
    with rig(path, FakeLog(), batch=10) as at:
        at.runner.start()
        at.write(_events(500))
        at.runner.stop()
        assert set(at.states().values()) == {("live", 500)}
        with pytest.raises(ProjectionLagError):
            asyncio.run(at.waiter.until(501))


def test_it_goes_on_where_it_stopped(path: Path) -> None:
    log, seen = FakeLog(_events(4)), []  # type: FakeLog, list[int]
    for count in (4, 3):
        with rig(path, log, [noting(lambda recorded: seen.append(recorded.position))]) as at:
            at.runner.start()
            at.wait(count if count == 4 else 7)
        log.events += _events(3, after=4) if count == 4 else []
    assert seen == [1, 2, 3, 4, 5, 6, 7]


def _poisoned(recorded: Recorded) -> None:
    if recorded.position == 6:
        raise ValueError("bad taste")


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_a_poisoned_event_stops_its_projection_alone(batch: int, path: Path) -> None:
    log = FakeLog(_events(10))
    with rig(path, log, [noting(_poisoned), *PROJECTIONS], batch=batch) as at:
        at.runner.start()
        at.wait(10)
        noted, *others = at.runner.status()
        assert (noted.state, noted.position) == ("failed", 5)
        assert noted.error == "SessionStarted at 6: ValueError: bad taste"
        assert {(other.state, other.position, other.error) for other in others} == {("live", 10, None)}
        assert at.tables()["noted"] == [(1,), (2,), (3,), (4,), (5,)]  # nothing of the poisoned event
        at.write(_events(1, after=10))
        at.wait(11)
        assert at.states()["noted"] == ("failed", 5)
    with rig(path, log, [noting(), *PROJECTIONS]) as at:  # a program that can digest it
        at.runner.start()
        assert at.runner.wait_ready(WITHIN_S)
        assert set(at.states().values()) == {("live", 11)}
        assert len(at.tables()["noted"]) == 11


def test_a_log_that_cannot_be_read_is_tried_again(path: Path) -> None:
    log = FakeLog(_events(3))
    log.refuses = sqlite3.OperationalError("disk I/O error")
    with rig(path, FakeLog()) as at:
        at.runner._log = log
        at.runner.start()
        eventually(lambda: at.runner.trouble is not None)
        assert at.runner.status()[0].error == "OperationalError: disk I/O error"
        log.refuses = None
        at.wait(3)
        eventually(lambda: at.runner.trouble is None)


def test_a_full_disk_fails_no_projection(path: Path) -> None:
    events = _events(300)
    with rig(path, FakeLog()) as at:
        (pages,) = at.store.db.execute("PRAGMA page_count").fetchone()
        at.store.db.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        at.runner.start()
        assert at.runner.wait_ready(WITHIN_S)
        at.write(events)
        eventually(lambda: at.runner.trouble is not None)
        assert "full" in (at.runner.trouble or "")
        assert set(at.states().values()) == {("live", 0)}
        at.store.db.execute(f"PRAGMA max_page_count = {pages * 100}").fetchone()
        at.wait(300)
        assert at.tables() == _same_as_at_once(events)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_that_ends_the_thread_shows(path: Path) -> None:
    def defect(_: Recorded) -> None:
        raise AssertionError("a fault of the program")

    with rig(path, FakeLog(_events(1)), [noting(defect)]) as at:
        at.runner.start()
        at.runner.join(WITHIN_S)
        (status,) = at.runner.status()
        assert (status.state, status.error) == ("failed", "the runner has died")


def test_tables_that_are_built_anew_tell_each_event_once(path: Path) -> None:
    told: list[int] = []

    class Listening:
        watching = True

        def applied(self, events: Sequence[Recorded]) -> None:
            told.extend(each.position for each in events)

    log = FakeLog(record([session(number) for number in range(1, 6)]))
    store, waiter = open_store(path, PROJECTIONS, log), Waiter()
    swapped: list[int] = []

    def swap(exchange: Callable[[], None]) -> None:
        swapped.append(len(told))
        exchange()

    runner = Runner(store, PROJECTIONS, log, waiter, watcher=Listening(), swap=swap)
    runner.start()
    asyncio.run(waiter.until(5, 20))
    path.unlink()
    log.events += record([session(6)], after=5)
    runner.feed(log.events[-1:])
    eventually(lambda: runner.ready and told[-1:] == [6])
    asyncio.run(waiter.until(6, 20))
    runner.stop()
    store.close()
    assert (told, swapped) == ([1, 2, 3, 4, 5, 6], [5])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM timeline").fetchone() == (6,)
