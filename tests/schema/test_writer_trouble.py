"""What the writer does when the store cannot take an append, or any."""

import logging
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from schema.appends import Committed, StoreUnavailableError, UnstorableError
from schema.codec import DomainEvent
from schema.log import EventLog
from schema.recorded import Metadata
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed
from schema.workspace import AutoSessionEnabled, ConfigurationLoaded, RecordingGap, SessionActivated
from tests.schema.writing import SOON_S, Writing, locked, new, session, started

if sys.platform != "win32":
    import resource


class Unregistered(Event, frozen=True):
    pass


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


UNSTORABLE = {
    "an unregistered type": new("workspace", Unregistered()),
    "text that is not Unicode": new("session-1", SessionRenamed(session_id=1, from_="a", to="\ud800")),
    "a value without a JSON form": new("workspace", ConfigurationLoaded(values={"x": object()}, hash="c")),
    "nested too deep": new("workspace", ConfigurationLoaded(values={"x": nested(1_000_000)}, hash="c")),
    "bodies without a session": new("workspace", AutoSessionEnabled(), b"body"),
    "an id that SQLite cannot hold": started(1 << 63),
    "a session that SQLite cannot hold": new("workspace", SessionDeleted(session_id=1 << 63)),
    "the same, with a sealed field": session(1 << 63),
    "a huge session, sealed": session(1 << 70),
    "an id that is no number": new("workspace", SessionActivated(session_id="one")),  # type: ignore[arg-type]
    "a stream that is not Unicode": new("\udfff", AutoSessionEnabled()),
}


@pytest.mark.parametrize("name", UNSTORABLE)
@pytest.mark.parametrize("keep", [True, False])
def test_an_unstorable_append_fails_alone(log: EventLog, name: str, keep: bool) -> None:
    writing = Writing(log)
    before = [writing.submit(session(1), keep=keep), writing.submit(started(1), keep=True)]
    bad = writing.submit(session(7), UNSTORABLE[name], started(2), keep=keep)
    after = [writing.submit(session(2), expect={"workspace": 1}), writing.submit(started(3), b := started(4))]
    with writing:
        assert isinstance(bad.result(SOON_S), UnstorableError)
        assert [future.result(SOON_S) for future in before] == [Committed((1,), 1), Committed((2,), 2)]
        assert [future.result(SOON_S) for future in after] == [Committed((3,), 3), Committed((4, 5), 5)]
        assert writing.writer.trouble is None
        assert isinstance(writing.submit(UNSTORABLE[name]).result(SOON_S), UnstorableError)
        assert writing.commit(started(5)) == [6]
    assert [recorded.position for recorded in log.read()] == [1, 2, 3, 4, 5, 6]
    assert log.read()[4].event == b.event
    assert log.chain_break() is None


def test_each_of_several_unstorable_appends_is_singled_out(log: EventLog) -> None:
    writing = Writing(log)
    futures = [writing.submit(started(number) if number % 3 else started(1 << 63)) for number in range(10)]
    with writing:
        results = [future.result(SOON_S) for future in futures]
    assert [isinstance(result, UnstorableError) for result in results] == [number % 3 == 0 for number in range(10)]
    assert [recorded.exchange_id for recorded in log.read()] == [1, 2, 4, 5, 7, 8]


def test_a_log_that_another_program_wrote_to_is_taken_as_it_is(log: EventLog) -> None:
    """It should not (see schema/lock.py), but the versions that the writer remembers must not stop it for ever."""
    with Writing(log) as writing:
        writing.commit(started(1))
        domain = DomainEvent("exchange-1", 2, AutoSessionEnabled(), Metadata(actor="system"), 5)
        log.recorder.insert_events([log.mapper().to_stored_event(domain)])
        assert writing.commit(new("exchange-1", AutoSessionEnabled())) == [3]
    assert [recorded.version for recorded in log.read()] == [1, 2, 3]
    assert log.chain_break() is None


def test_facts_survive_a_locked_log_and_are_appended_in_order(log: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    with Writing(log) as writing:
        writing.commit(session(1))
        with locked(log):
            facts = [writing.submit(started(number), keep=True) for number in range(1, 4)]
            assert isinstance(writing.submit(session(2)).result(SOON_S), StoreUnavailableError)
            assert writing.writer.trouble == "database is locked"
            assert not writing.writer.idle
            facts += [writing.submit(started(number), keep=True) for number in range(4, 7)]
            assert isinstance(writing.submit(session(3), durable=True).result(SOON_S), StoreUnavailableError)
            assert not any(future.done() for future in facts)
        assert [future.result(SOON_S) for future in facts] == [Committed((number,), number) for number in range(2, 8)]
        assert writing.writer.trouble is None
        assert writing.commit(session(4), expect={"workspace": 1}) == [8]
    assert [recorded.exchange_id for recorded in log.read(1, upto=7)] == [1, 2, 3, 4, 5, 6]
    troubles = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(troubles) == 1, "the log says once that the store is unavailable"


def test_closing_while_the_log_is_locked_refuses_the_facts_and_counts_them(
    log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    writing = Writing(log)
    with locked(log):
        with writing:
            fact = writing.submit(started(1), started(2), keep=True)
        assert isinstance(fact.result(0), StoreUnavailableError)
    assert "2 events could not be recorded" in caplog.text
    assert log.head() == 0


def test_the_queue_is_bounded_in_bytes(log: EventLog) -> None:
    writing = Writing(log)
    body = bytes(1 << 20)
    taken = [writing.submit(started(number, body), keep=True) for number in range(1, 65)]
    assert not any(future.done() for future in taken)
    refused = writing.submit(started(65, body), keep=True)
    assert isinstance(refused.result(0), StoreUnavailableError)
    with writing:
        assert [future.result(SOON_S) for future in taken] == [Committed((number,), number) for number in range(1, 65)]
        writing.until(lambda: log.head() == 65)
        assert writing.commit(started(66)) == [66]


def test_what_overflowed_is_owned_up_to_once(log: EventLog) -> None:
    times = iter(range(5_000_000_000, 10**12, 1_000_000))
    writing = Writing(log, clock=lambda: next(times))
    body = bytes(1 << 20)
    for number in range(1, 65):
        writing.submit(started(number, body), keep=True)
    for number in range(65, 70):
        writing.submit(started(number, body), started(100 + number), keep=True)
    writing.submit(session(1))  # a decision: its caller is told
    writing.writer.lost(3)
    with writing:
        writing.until(lambda: log.head() == 65)
        writing.commit(session(2))
    (gap,) = log.read(types=["RecordingGap"])
    assert (gap.position, gap.stream, gap.actor) == (65, "workspace", "system")
    assert isinstance(gap.event, RecordingGap)
    assert (gap.event.count, gap.event.from_ < gap.event.to) == (13, True)
    assert log.chain_break() is None


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond `limit` bytes: SQLite sees what a full disk looks like."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are of POSIX")
def test_facts_survive_a_full_disk(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(session(1))
        wal = log.path.with_name(log.path.name + "-wal").stat().st_size
        with full_disk(wal + 20_000):
            fact = writing.submit(started(1, bytes(range(256)) * 10), keep=True)
            big = writing.submit(*(started(number, preview="x" * 500) for number in range(2, 200)), keep=True)
            assert isinstance(writing.submit(session(2)).result(SOON_S), StoreUnavailableError)
            assert writing.writer.trouble is not None
        assert isinstance(fact.result(SOON_S), Committed)
        assert isinstance(big.result(SOON_S), Committed)
        assert writing.commit(session(3)) == [201]
    assert log.chain_break() is None
    db = sqlite3.connect(log.path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
