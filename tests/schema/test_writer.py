"""Group commit: order, versions, timestamps."""

import itertools
import threading
from concurrent.futures import Future
from pathlib import Path

from schema.appends import Append, Committed, Result, StoreUnavailableError, VersionConflictError
from schema.keys import KeyStore
from schema.log import EventLog
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled
from tests.schema.writing import META, SOON_S, Writing, completed, new, session, some_events, started


def positions(futures: "list[Future[Result]]") -> list[int]:
    """Of appends that were all committed, in the order of their submission."""
    results = [future.result(SOON_S) for future in futures]
    return [number for result in results if isinstance(result, Committed) for number in result.positions]


def test_what_waits_is_committed_together_in_its_order(log: EventLog) -> None:
    writing = Writing(log)
    futures = [writing.submit(started(number), durable=number == 5) for number in range(1, 11)]
    with writing:
        assert positions(futures) == list(range(1, 11))
    assert writing.groups == [10]
    assert len({recorded.timestamp for recorded in writing.heard}) == 1
    assert [recorded.exchange_id for recorded in log.read()] == list(range(1, 11))


def test_a_group_has_a_limit(log: EventLog) -> None:
    writing = Writing(log)
    futures = [writing.submit(started(number)) for number in range(1, 1_201)]
    with writing:
        assert positions(futures) == list(range(1, 1_201))
    assert writing.groups == [512, 512, 176]
    assert log.chain_break() is None


def test_threads_keep_their_order_and_positions_have_no_gaps(log: EventLog) -> None:
    futures: dict[int, list[Future[Result]]] = {thread: [] for thread in range(1, 9)}
    with Writing(log) as writing:

        def submit(thread: int) -> None:
            for number in range(100):
                futures[thread].append(writing.submit(started(thread * 1_000 + number), durable=number % 7 == 0))

        threads = [threading.Thread(target=submit, args=(thread,)) for thread in futures]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for own in futures.values():
            placed = positions(own)
            assert len(placed) == 100 and placed == sorted(placed)
    assert [recorded.position for recorded in log.read()] == list(range(1, 801))
    assert writing.heard == log.read()
    assert log.chain_break() is None


def test_events_of_one_append_stand_together(log: EventLog) -> None:
    with Writing(log) as writing:
        assert writing.commit(session(1), started(1), started(2)) == [1, 2, 3]
        assert writing.commit() == []
        assert writing.commit(completed(1)) == [4]
    assert [(recorded.stream, recorded.version) for recorded in log.read()] == [
        ("workspace", 1),
        ("exchange-1", 1),
        ("exchange-2", 1),
        ("exchange-1", 2),
    ]


def test_listeners_hear_what_is_read_later(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(*some_events())
    assert writing.heard == log.read()


def test_timestamps_never_run_backwards(tmp_path: Path, keys: KeyStore) -> None:
    ticks = iter([5_000, 9_000, 4_000, 9_500])
    log = EventLog(tmp_path / "events.sqlite", keys)
    with Writing(log, clock=lambda: next(ticks) * 1_000_000) as writing:
        for number in range(1, 5):
            writing.commit(started(number))
    assert [recorded.timestamp for recorded in log.read()] == [5_000, 9_000, 9_000, 9_500]
    with Writing(log, clock=lambda: 1_000_000) as writing:
        writing.commit(started(5))
    assert log.read()[-1].timestamp == 9_500
    log.close()


def test_versions_go_on_after_a_restart(tmp_path: Path, keys: KeyStore) -> None:
    for run in range(1, 4):
        log = EventLog(tmp_path / "events.sqlite", keys)
        with Writing(log) as writing:
            assert writing.commit(new("workspace", AutoSessionEnabled()), expect={"workspace": run - 1}) == [run]
        assert log.chain_break() is None
        log.close()


def test_an_append_on_an_outdated_version_is_refused(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(session(1), session(2), started(1))
        outdated = writing.submit(new("workspace", AutoSessionEnabled()), expect={"workspace": 1}).result(SOON_S)
        assert isinstance(outdated, VersionConflictError)
        assert (outdated.stream, outdated.expected, outdated.actual) == ("workspace", 1, 2)
        assert writing.commit(new("workspace", AutoSessionEnabled()), expect={"workspace": 2}) == [4]


def test_every_stream_that_was_read_is_checked(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(session(1), started(1))
        expect = {"workspace": 1, "exchange-1": 0, "exchange-9": 0}
        refused = writing.submit(new("workspace", AutoSessionEnabled()), expect=expect).result(SOON_S)
        assert isinstance(refused, VersionConflictError) and refused.stream == "exchange-1"
        expect["exchange-1"] = 1
        assert writing.commit(new("workspace", AutoSessionEnabled()), expect=expect) == [3]


def test_of_two_decisions_on_one_state_in_a_group_the_first_wins(log: EventLog) -> None:
    writing = Writing(log)
    first = writing.submit(new("workspace", AutoSessionDisabled()), expect={"workspace": 0})
    second = writing.submit(new("workspace", AutoSessionEnabled()), expect={"workspace": 0})
    third = writing.submit(new("workspace", AutoSessionEnabled()), expect={"workspace": 1})
    with writing:
        assert first.result(SOON_S) == Committed((1,), 1)
        assert isinstance(second.result(SOON_S), VersionConflictError)
        assert third.result(SOON_S) == Committed((2,), 2)
    assert writing.groups == [2]


def test_a_group_of_refusals_commits_nothing(log: EventLog) -> None:
    with Writing(log) as writing:
        for _ in range(2):
            assert isinstance(writing.submit(session(1), expect={"workspace": 4}).result(SOON_S), VersionConflictError)
    assert (log.head(), writing.groups) == (0, [])


def test_a_refusal_that_nobody_waits_for(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.writer.submit(Append(events=[session(1)], metadata=META, expect={"workspace": 4}))
        assert writing.commit(session(1)) == [1]


def test_more_streams_than_the_writer_remembers(log: EventLog) -> None:
    numbers = itertools.count(1)
    with Writing(log) as writing:
        futures = [
            writing.submit(*(new(f"exchange-{next(numbers)}", AutoSessionEnabled()) for _ in range(500)))
            for _ in range(22)
        ]
        for future in futures:
            future.result(SOON_S)
        placed = writing.commit(new("exchange-1", AutoSessionEnabled()), expect={"exchange-1": 1})
        assert placed == [11_001]


def test_an_append_without_a_waker_rides_along(log: EventLog) -> None:
    with Writing(log) as writing:
        riding = writing.submit(started(1), wake=False)
        assert not writing.writer.idle
        assert writing.commit(started(2)) == [2]
        assert riding.result(SOON_S) == Committed((1,), 1)
        riding = writing.submit(started(3), wake=False)
        writing.writer.wake()
        assert riding.result(SOON_S) == Committed((3,), 3)


def test_closing_commits_what_waits_and_refuses_what_comes_later(log: EventLog) -> None:
    with Writing(log) as writing:
        futures = [writing.submit(started(number), wake=False) for number in range(1, 1_001)]
    assert positions(futures) == list(range(1, 1_001))
    assert writing.writer.idle
    assert isinstance(writing.submit(started(2_000)).result(SOON_S), StoreUnavailableError)
    assert log.head() == 1_000
    assert not log.path.with_name("events.sqlite-wal").stat().st_size


def test_closing_a_writer_that_never_ran_answers_what_waits(log: EventLog) -> None:
    writing = Writing(log)
    future = writing.submit(started(1))
    writing.writer.close()
    assert isinstance(future.result(0), StoreUnavailableError)
