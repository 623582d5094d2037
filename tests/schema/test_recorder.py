"""The library's recorder interface on our tables."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from schema.codec import DomainEvent
from schema.keys import KeyStore
from schema.log import EventLog
from schema.migrations import NewerLogError
from schema.recorded import Metadata
from schema.recorder import MIGRATIONS
from schema.registry import Event
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled
from tests.schema.writing import Writing, some_events


def stored(log: EventLog, stream: str, version: int, event: Event | None = None) -> StoredEvent:
    domain = DomainEvent(stream, version, event or AutoSessionEnabled(), Metadata(actor="api"), 7)
    return log.mapper().to_stored_event(domain)


def versions(events: Sequence[StoredEvent]) -> list[int]:
    return [event.originator_version for event in events]


def test_an_empty_log(log: EventLog) -> None:
    recorder = log.recorder
    assert recorder.max_notification_id() is None
    assert recorder.select_events("s") == []
    assert recorder.select_notifications(None, 10) == []
    assert recorder.insert_events([]) == []
    assert (log.head(), log.read(), log.at(1), log.chain_break()) == (0, [], None, None)


def test_inserted_events_are_selected_by_stream(log: EventLog) -> None:
    recorder = log.recorder
    events = [stored(log, "a", 1), stored(log, "b", 1), stored(log, "a", 2), stored(log, "a", 3)]
    assert recorder.insert_events(events[:3]) == [1, 2, 3]
    assert recorder.insert_events(events[3:]) == [4]
    assert recorder.select_events("a") == [events[0], events[2], events[3]]
    assert versions(recorder.select_events("a", desc=True)) == [3, 2, 1]
    assert versions(recorder.select_events("a", gt=1)) == [2, 3]
    assert versions(recorder.select_events("a", lte=2)) == [1, 2]
    assert versions(recorder.select_events("a", gt=1, lte=2)) == [2]
    assert versions(recorder.select_events("a", limit=2)) == [1, 2]
    assert versions(recorder.select_events("a", limit=1, desc=True)) == [3]
    assert recorder.select_events("c") == []
    assert log.chain_break() is None


def test_notifications(log: EventLog) -> None:
    recorder = log.recorder
    events = [stored(log, "a", n, AutoSessionDisabled() if n % 2 else AutoSessionEnabled()) for n in range(1, 7)]
    recorder.insert_events(events)

    def ids(
        start: int | None, limit: int = 10, stop: int | None = None, *, inclusive_of_start: bool = True
    ) -> list[int]:
        selected = recorder.select_notifications(start, limit, stop, inclusive_of_start=inclusive_of_start)
        return [each.id for each in selected]

    assert recorder.max_notification_id() == 6
    assert ids(None) == ids(1) == ids(0) == [1, 2, 3, 4, 5, 6]
    assert ids(None, inclusive_of_start=False) == ids(0, inclusive_of_start=False) == [1, 2, 3, 4, 5, 6]
    assert ids(4) == [4, 5, 6]
    assert ids(4, inclusive_of_start=False) == [5, 6]
    assert ids(2, 3) == [2, 3, 4]
    assert ids(2, stop=3) == [2, 3]
    assert ids(7) == []
    enabled = recorder.select_notifications(1, 2, topics=["AutoSessionEnabled"])
    assert [(each.id, each.topic) for each in enabled] == [(2, "AutoSessionEnabled"), (4, "AutoSessionEnabled")]
    both = recorder.select_notifications(1, 10, 3, ["AutoSessionEnabled", "AutoSessionDisabled"])
    assert [(each.originator_id, each.originator_version, each.state) for each in both] == [
        ("a", each.originator_version, each.state) for each in events[:3]
    ]


def test_states_with_sealed_parts_and_blobs_come_back_whole(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(*some_events())
    mapper = log.mapper()
    read = [mapper.to_domain_event(each) for each in log.recorder.select_notifications(1, 100)]
    assert [domain.event for domain in read] == [recorded.event for recorded in log.read()]
    blobs = [len(each.state) for each in log.recorder.select_events("exchange-1")]
    assert len(blobs) == 2


def test_a_version_is_taken_once_and_all_events_or_none(log: EventLog) -> None:
    log.recorder.insert_events([stored(log, "a", 1)])
    with pytest.raises(IntegrityError):
        log.recorder.insert_events([stored(log, "b", 1), stored(log, "a", 1)])
    assert log.head() == 1
    assert log.recorder.insert_events([stored(log, "b", 1)]) == [2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET by = 'another' WHERE position = 1",
        "UPDATE events SET position = 9 WHERE position = 1",
        "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
        "DELETE FROM events WHERE position = 2",
        "DELETE FROM events",
    ],
)
def test_events_are_neither_changed_nor_deleted(log: EventLog, statement: str) -> None:
    log.recorder.insert_events([stored(log, "a", 1), stored(log, "a", 2)])
    db = sqlite3.connect(log.path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)
    db.close()
    assert log.head() == 2
    assert log.chain_break() is None


@pytest.mark.parametrize("place", ["1, 'b', 1", "2, 'a', 1"])
def test_a_replaced_event_breaks_the_chain(log: EventLog, place: str) -> None:
    """REPLACE deletes without firing the delete trigger; a trigger against it would cost each append 2 us."""
    log.recorder.insert_events([stored(log, "a", 1)])
    db = sqlite3.connect(log.path, isolation_level=None)
    columns = "position, stream, version, type, type_version, timestamp, actor, hash, prev_hash, data"
    db.execute(f"INSERT OR REPLACE INTO events({columns}) VALUES ({place},'T',1,1,'api',x'00',x'00','{{}}')")
    db.close()
    assert log.chain_break() == 1


def schema_of(path: Path) -> list[tuple[str, str]]:
    db = sqlite3.connect(path)
    rows = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    db.close()
    return rows


def test_a_log_of_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path, keys: KeyStore) -> None:
    path = tmp_path / "newer.sqlite"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("CREATE TABLE format(version INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO format VALUES (?)", (len(MIGRATIONS) + 1,))
    db.close()
    before = schema_of(path)
    with pytest.raises(NewerLogError, match=str(len(MIGRATIONS) + 1)):
        EventLog(path, keys)
    assert schema_of(path) == before


def test_a_log_is_opened_again_and_again(tmp_path: Path, keys: KeyStore) -> None:
    for expected in (1, 2, 3):
        log = EventLog(tmp_path / "events.sqlite", keys)
        assert log.recorder.insert_events([stored(log, "a", expected)]) == [expected]
        log.close()
    db = sqlite3.connect(tmp_path / "events.sqlite")
    assert db.execute("SELECT version FROM format").fetchall() == [(len(MIGRATIONS),)]
    db.close()
