"""An event that cannot be decoded is told as such, and no other event is lost with it."""

import sqlite3

import pytest

from schema.log import EventLog
from schema.recorded import Recorded
from schema.unreadable import Unreadable, UnreadableEventError
from schema.verification import Verifier
from tests.schema.test_log import tampering
from tests.schema.writing import Writing, some_events

DAMAGES = {
    "an unknown type": ("UPDATE events SET type = 'FutureEvent' WHERE position = 4", "does not know FutureEvent"),
    "a later version": ("UPDATE events SET type_version = 9 WHERE position = 4", "know ExchangeStarted version 9"),
    "an impossible version": ("UPDATE events SET type_version = 0 WHERE position = 4", "damaged: KeyError"),
    "sealed bytes": ("UPDATE events SET sealed = zeroblob(80) WHERE position = 4", "does not open"),
    "no JSON": ("UPDATE events SET data = '{' WHERE position = 4", "damaged: Input data was truncated"),
    "no object": ("UPDATE events SET data = '[]' WHERE position = 4", "damaged: Expected `object`"),
    "another value": ("UPDATE events SET data = '{\"models\": 1}' WHERE position = 4", "damaged: Object missing"),
    "no UTF-8": (
        "UPDATE events SET data = CAST(x'7b22ff227d' AS TEXT) WHERE position = 4",
        "damaged: JSON is malformed",
    ),
}


@pytest.fixture
def filled(log: EventLog) -> EventLog:
    with Writing(log) as writing:
        writing.commit(*some_events())
    return log


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_event_that_cannot_be_decoded_is_told_with_its_columns(filled: EventLog, damage: str) -> None:
    before = filled.read()
    statement, reason = DAMAGES[damage]
    with tampering(filled) as db:
        db.execute(statement)
    after = filled.read()
    assert [each for each in after if each.position != 4] == [each for each in before if each.position != 4]
    found, was = after[3], before[3]
    event = found.event
    assert isinstance(event, Unreadable)
    assert reason in event.reason and "what was asked" not in event.reason
    assert (event.position, event.session_id, event.type) == (4, 1, found.type)
    assert _columns(found) == _columns(was)
    assert filled.at(4) == found
    assert filled.unreadable == {4: event}
    assert str(UnreadableEventError(event)) == f"event 4 ({found.type}) cannot be read: {event.reason}"


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_still_names_it(filled: EventLog, damage: str) -> None:
    with tampering(filled) as db:
        db.execute(DAMAGES[damage][0])
    found = Verifier(filled).run()
    assert (found.ok, found.first_bad_position) == (False, 4)
    assert {each.kind for each in found.problems} & {"unreadable_event", "unopened"}


def test_strangers_are_read_with_the_types_that_are_asked_for(filled: EventLog) -> None:
    with tampering(filled) as db:
        db.execute("UPDATE events SET type = 'FutureEvent' WHERE position IN (4, 9)")
    asked = filled.read(types=("SessionStarted",), strangers=True)
    assert [each.position for each in asked] == [2, 4, 6, 9]
    assert [each.position for each in filled.scan(types=("SessionStarted",))] == [2, 6]


def test_a_key_that_cannot_be_read_now_is_no_damage(filled: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(session_id: int) -> bytes:
        raise sqlite3.OperationalError("database is locked")

    filled.sealer.forget(1)
    monkeypatch.setattr(filled.keys, "key", locked)
    with pytest.raises(sqlite3.OperationalError):
        filled.read()


def _columns(recorded: Recorded) -> tuple[object, ...]:
    return (
        *(recorded.position, recorded.stream, recorded.version, recorded.session_id, recorded.exchange_id),
        *(recorded.timestamp, recorded.actor, recorded.by, recorded.correlation_id, recorded.hash, recorded.prev_hash),
    )
