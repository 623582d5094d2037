"""Reading the log: filters, bodies, and any change found."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from schema.blobs import content_ref
from schema.log import EventLog
from schema.recorder import COLUMNS, chain_hash, parts_of
from schema.sealing import SealError
from tests.schema.writing import META, Writing, completed, session, some_events, started

TYPES = ("SessionStarted", "SessionDeleted")


@pytest.fixture
def filled(log: EventLog) -> EventLog:
    """Ten events, `some_events`."""
    with Writing(log) as writing:
        assert writing.commit(*some_events()) == list(range(1, 11))
    return log


@contextmanager
def tampering(log: EventLog) -> Iterator[sqlite3.Connection]:
    """A connection without our triggers, as someone would use who edits the file."""
    db = sqlite3.connect(log.path, isolation_level=None)
    try:
        db.execute("DROP TRIGGER IF EXISTS events_are_not_changed")
        db.execute("DROP TRIGGER IF EXISTS events_are_not_deleted")
        yield db
    finally:
        db.close()


def positions(log: EventLog, after: int = 0, **filters: object) -> list[int]:
    return [recorded.position for recorded in log.read(after, **filters)]  # type: ignore[arg-type]


def test_read_filters(filled: EventLog) -> None:
    assert filled.head() == 10
    assert positions(filled) == list(range(1, 11))
    assert positions(filled, 8) == [9, 10]
    assert positions(filled, 10) == []
    assert positions(filled, 3, upto=5) == [4, 5]
    assert positions(filled, limit=3) == [1, 2, 3]
    assert positions(filled, types=TYPES) == [2, 6, 10]
    assert positions(filled, session_id=2) == [6, 8, 10]
    assert positions(filled, stream="exchange-1") == [4, 5]
    assert positions(filled, 2, upto=9, types=TYPES, session_id=2, stream="workspace", limit=5) == [6]


def test_what_was_recorded_is_read_with_all_its_columns(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(*some_events())
        heard = writing.heard
    assert log.read() == heard
    first, fourth = log.read()[0], log.read()[3]
    assert (first.position, first.stream, first.version, first.session_id) == (1, "workspace", 1, None)
    assert (fourth.type, fourth.type_version, fourth.session_id, fourth.exchange_id) == ("ExchangeStarted", 1, 1, 1)
    assert (first.actor, first.by, first.correlation_id) == (META.actor, META.by, META.correlation_id)
    assert first.causation_position == META.causation_position
    assert first.prev_hash == "0" * 64
    assert [each.prev_hash for each in heard[1:]] == [each.hash for each in heard[:-1]]
    assert [each.event for each in heard if each.position not in (4, 5)] == [
        each.event for index, each in enumerate(some_events(), 1) if index not in (4, 5)
    ]


def test_at(filled: EventLog) -> None:
    assert filled.at(4) == filled.read()[3]
    assert filled.at(11) is None
    assert filled.at(0) is None
    assert filled.at(-1) is None


def test_scan_goes_over_batches(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(*(session(number) for number in range(1, 2_101)))
        writing.commit(completed(1))
    assert [each.position for each in log.scan()] == list(range(1, 2_102))
    assert [each.position for each in log.scan(2_099, types=["SessionStarted"])] == [2_100]
    assert [each.position for each in log.scan(stream="exchange-1")] == [2_101]


def test_last_position(filled: EventLog) -> None:
    assert filled.last_position(types=TYPES) == 10
    assert filled.last_position(types=TYPES, session_id=1) == 2
    assert filled.last_position(types=["SessionRenamed"], session_id=2) == 0


def test_highest_ids(filled: EventLog) -> None:
    assert filled.max_id("session_id") == 2
    assert filled.max_id("exchange_id") == 2


def test_an_empty_log_has_no_ids(log: EventLog) -> None:
    assert (log.max_id("session_id"), log.max_id("exchange_id")) == (0, 0)
    assert log.last_position(types=TYPES) == 0
    assert log.open_exchanges() == []


def test_open_exchanges(filled: EventLog) -> None:
    assert [(each.position, each.exchange_id) for each in filled.open_exchanges()] == [(8, 2)]
    with Writing(filled) as writing:
        writing.commit(started(30), started(4), completed(2, session_id=2), completed(99))
    assert sorted(each.exchange_id or 0 for each in filled.open_exchanges()) == [4, 30]


def test_bodies_are_found_by_position_and_ref(filled: EventLog) -> None:
    assert filled.body(4, content_ref(b"first body")) == b"first body"
    assert filled.body(4, content_ref(b"second body")) == b"second body"
    assert filled.body(5, content_ref(b"the answer")) == b"the answer"
    assert filled.body(5, content_ref(b"first body")) is None
    assert filled.body(1, content_ref(b"first body")) is None
    assert filled.body(99, content_ref(b"first body")) is None


def test_a_changed_body_is_an_error(filled: EventLog) -> None:
    db = sqlite3.connect(filled.path, isolation_level=None)
    db.execute("UPDATE blobs SET data = zeroblob(length(data)) WHERE position = 4")
    db.close()
    with pytest.raises(SealError):
        filled.body(4, content_ref(b"first body"))


def test_an_erased_blob_leaves_the_chain_whole(filled: EventLog) -> None:
    db = sqlite3.connect(filled.path, isolation_level=None)
    db.execute("DELETE FROM blobs")
    db.close()
    assert filled.body(4, content_ref(b"first body")) is None
    assert filled.chain_break() is None
    assert len(filled.read()) == 10


def test_reading_from_many_threads(filled: EventLog) -> None:
    expected, answers = filled.read(), []

    def read() -> None:
        for _ in range(5):
            answers.append(filled.read() == expected and filled.head() == 10 and filled.chain_break() is None)

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 60


def test_a_whole_chain(filled: EventLog) -> None:
    assert filled.chain_break() is None
    for after in range(11):
        assert filled.chain_break(after) is None


CHANGES = {
    int: "COALESCE({0}, 0) + 1000",
    str: "COALESCE({0}, '') || ' '",
    bytes: "CAST(COALESCE({0}, '') || 'x' AS BLOB)",
}
KINDS: dict[str, type] = {
    "position": int,
    "stream": str,
    "version": int,
    "type": str,
    "type_version": int,
    "session_id": int,
    "exchange_id": int,
    "timestamp": int,
    "actor": str,
    "by": str,
    "correlation_id": str,
    "causation_position": int,
    "hash": bytes,
    "prev_hash": bytes,
    "data": str,
    "sealed": bytes,
}


def test_every_column_is_tried() -> None:
    assert list(KINDS) == [name.strip() for name in COLUMNS.split(",")]


@pytest.mark.parametrize("column", KINDS)
@pytest.mark.parametrize("position", [1, 4, 9])
def test_any_changed_column_of_any_row_breaks_the_chain_there(filled: EventLog, column: str, position: int) -> None:
    change = CHANGES[KINDS[column]].format(column)
    with tampering(filled) as db:
        changed = db.execute(f"UPDATE events SET {column} = {change} WHERE position = ?", (position,))
        assert changed.rowcount == 1
    assert filled.chain_break() == position
    assert filled.chain_break(position - 1) == position


@pytest.mark.parametrize(
    "column", ["session_id", "exchange_id", "by", "correlation_id", "causation_position", "sealed"]
)
def test_a_value_taken_away_breaks_the_chain(filled: EventLog, column: str) -> None:
    with tampering(filled) as db:
        db.execute(f"UPDATE events SET {column} = NULL WHERE position = 4")
    assert filled.chain_break() == 4


def test_an_event_taken_out_or_put_elsewhere_breaks_the_chain(filled: EventLog) -> None:
    with tampering(filled) as db:
        db.execute("DELETE FROM events WHERE position = 6")
    assert filled.chain_break() == 6
    assert filled.chain_break(6) == 7
    with tampering(filled) as db:
        db.execute("UPDATE events SET position = 6 WHERE position = 7")
    assert filled.chain_break() == 6


def test_a_forged_event_breaks_the_chain_behind_it(filled: EventLog) -> None:
    """A row changed together with its own hash is found at the next row, which names the hash that it followed."""
    with tampering(filled) as db:
        db.row_factory = sqlite3.Row
        db.execute("UPDATE events SET actor = 'system' WHERE position = 8")
        row = db.execute("SELECT * FROM events WHERE position = 8").fetchone()
        place = (row["stream"], row["version"], row["type"])
        forged = chain_hash(row["prev_hash"], 8, place, parts_of(row))
        db.execute("UPDATE events SET hash = ? WHERE position = 8", (forged,))
    assert filled.chain_break() == 9
