"""Every change of a stored value is found and named, and so is a missing end."""

import hashlib
import itertools
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest

from schema.appends import Append, Result
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.idempotency import Idempotent
from schema.keys import KeyStore, NotedHead
from schema.locked_out import lock_out
from schema.log import EventLog
from schema.moving import SessionsMerged
from schema.recorded import NewEvent
from schema.verification import MAX_PROBLEMS, EmptyRangeError, Verification, Verifier
from schema.workspace import ConfigurationLoaded
from tests.schema.writing import META, SOON_S, Writing, completed, new, session, started

COLUMNS = {
    "stream": "'other'",
    "version": "version + 10",
    "type": "'SessionDeleted'",
    "type_version": "type_version + 1",
    "session_id": "coalesce(session_id, 0) + 1",
    "exchange_id": "coalesce(exchange_id, 0) + 1",
    "timestamp": "timestamp + 1",
    "actor": "'mcp'",
    "by": "'somebody'",
    "correlation_id": "'x'",
    "causation_position": "coalesce(causation_position, 0) + 1",
    "hash": "zeroblob(32)",
    "prev_hash": "randomblob(32)",
    "data": "replace(data, '{', '{ ')",
    "sealed": "CAST(coalesce(sealed, zeroblob(40)) || zeroblob(1) AS BLOB)",
}


@pytest.fixture
def written(log: EventLog) -> Iterator[EventLog]:
    """Nine events: sessions, and exchanges with contents."""
    with Writing(log) as writing:
        writing.commit(session(1), session(2))
        writing.commit(started(1, b"one", preview="p"), started(2, b"two", b"three"))
        writing.commit(completed(1, b"answer"), started(3), session(3))
        writing.commit(completed(2), completed(3, b"last"))
    yield log


def tamper(log: EventLog, *statements: str) -> None:
    """As somebody who puts the triggers back."""
    with closing(sqlite3.connect(log.path, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in (*statements, *(sql for _, sql in triggers)):
            db.execute(statement)


def tamper_keys(log: EventLog, *statements: str) -> None:
    with closing(sqlite3.connect(log.keys.path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def verify(log: EventLog, first: int = 1, last: int | None = None) -> Verification:
    return Verifier(log, first=first, last=last).run()


def kinds(found: Verification) -> set[str]:
    return {problem.kind for problem in found.problems}


def test_what_was_written_is_in_order(written: EventLog) -> None:
    found = verify(written)
    last = written.at(9)
    assert last is not None
    assert (found.ok, found.from_, found.to, found.checked, found.problems) == (True, 1, 9, 9, [])
    assert (found.head_hash, found.first_bad_position, found.erased_sessions) == (last.hash, None, 0)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("position", [1, 3, 9])
def test_a_changed_value_is_named_by_its_event(written: EventLog, column: str, position: int) -> None:
    tamper(written, f"UPDATE events SET {column} = {COLUMNS[column]} WHERE position = {position}")
    found = verify(written)
    assert (found.ok, found.first_bad_position) == (False, position)
    assert "changed_event" in kinds(found)
    assert any(f"event {position}" in problem.text for problem in found.problems)


def test_a_value_that_was_changed_together_with_its_hash(written: EventLog) -> None:
    tamper(written, "UPDATE events SET data = '{}', hash = zeroblob(32) WHERE position = 4")
    assert verify(written).first_bad_position == 4


def test_a_missing_event(written: EventLog) -> None:
    tamper(written, "DELETE FROM events WHERE position = 5")
    found = verify(written)
    assert (found.ok, found.first_bad_position, found.checked) == (False, 5, 8)
    assert "missing_event" in kinds(found)


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_cut_end(written: EventLog, cut: int) -> None:
    tamper(written, f"DELETE FROM events WHERE position >= {cut}")
    found = verify(written)
    assert (found.ok, kinds(found), found.first_bad_position) == (False, {"missing_head", "stray_blob"}, cut)
    assert found.problems[0].text.startswith("event 9, the last one on 2")


def test_an_end_that_was_written_anew(written: EventLog, keys: KeyStore) -> None:
    tamper(written, "DELETE FROM events WHERE position >= 8", "DELETE FROM blobs WHERE position >= 8")
    keys.miss_head(9)
    with Writing(written) as writing:
        writing.commit(session(7), session(8))
    assert kinds(verify(written)) == {"missing_head"}


def test_a_head_kept_elsewhere(written: EventLog) -> None:
    fifth = written.at(5)
    assert fifth is not None
    right, wrong = NotedHead(5, bytes.fromhex(fifth.hash), 0, False), NotedHead(5, bytes(32), 0, False)
    assert Verifier(written, heads=[right]).run().ok
    assert kinds(Verifier(written, heads=[wrong]).run()) == {"missing_head"}


def test_changed_contents(written: EventLog) -> None:
    tamper(written, "UPDATE blobs SET data = zeroblob(50) WHERE position = 4")
    found = verify(written)
    assert (kinds(found), found.first_bad_position) == ({"changed_blob"}, 4)


def test_missing_contents(written: EventLog) -> None:
    tamper(written, "DELETE FROM blobs WHERE position = 4")
    assert kinds(verify(written)) == {"missing_blob"}


def erase(log: EventLog, *sessions: int) -> None:
    for number in sessions:
        tamper(log, f"DELETE FROM blobs WHERE session_id = {number}")
        tamper_keys(log, f"DELETE FROM session_keys WHERE session_id = {number}")


def asked(number: int) -> NewEvent:
    return new("workspace", SessionErasureRequested(session_id=number, counts=ErasedCounts()))


def test_erased_contents_are_no_problem(written: EventLog) -> None:
    with Writing(written) as writing:
        writing.commit(asked(1))
    erase(written, 1)
    found = verify(written)
    assert (found.ok, found.erased_sessions) == (True, 1)


def test_erasing_a_session_takes_its_parts_along(written: EventLog) -> None:
    with Writing(written) as writing:
        writing.commit(new("workspace", SessionsMerged(session_id=2, target_id=2, source_ids=(1,))))
        writing.commit(new("workspace", SessionsMerged(session_id=3, target_id=3, source_ids=(2,))))
        writing.commit(asked(3))
    erase(written, 1, 2, 3)
    found = verify(written)
    assert (found.ok, found.erased_sessions) == (True, 3)


def test_keys_and_contents_that_are_gone_without_an_erasure(written: EventLog) -> None:
    with Writing(written) as writing:
        writing.commit(asked(2))
    erase(written, 1)
    found = verify(written)
    assert kinds(found) == {"missing_key", "missing_blob"}
    assert [each.text for each in found.problems if each.kind == "missing_key"] == [
        "the key of session 1 is missing, though the session was not erased"
    ]
    assert found.first_bad_position == 1


def test_a_key_that_is_gone_is_missed_by_who_has_it_in_memory(written: EventLog) -> None:
    assert written.keys.key(1) is not None
    tamper_keys(written, "DELETE FROM session_keys WHERE session_id = 1")
    assert kinds(verify(written)) == {"missing_key"}


BESIDE = {
    "UPDATE blobs SET session_id = 2 WHERE position = 4": "changed_blob",
    "INSERT INTO blobs VALUES (2, 1, x'0011')": "stray_blob",
    "INSERT INTO blobs VALUES (99, 1, x'0011')": "stray_blob",
    "INSERT INTO format VALUES (1)": "changed_shape",
    "DROP INDEX events_of_session": "changed_shape",
    "DROP TABLE idempotency": "changed_shape",
    "CREATE TRIGGER other AFTER INSERT ON events BEGIN DELETE FROM blobs; END": "changed_shape",
    "ALTER TABLE blobs ADD COLUMN more TEXT": "changed_shape",
    "UPDATE idempotency SET key = x'00' WHERE count > 0": "changed_idempotency",
    "UPDATE idempotency SET request = x'00'": "changed_idempotency",
    "UPDATE idempotency SET position = 3 WHERE count > 0": "changed_idempotency",
    "UPDATE idempotency SET position = 99 WHERE count > 0": "changed_idempotency",
    "UPDATE idempotency SET count = 1 - count WHERE count = 0": "changed_idempotency",
    "UPDATE idempotency SET count = 7 WHERE count > 0": "changed_idempotency",
    "UPDATE idempotency SET kept_at = kept_at + 1": "changed_idempotency",
    "UPDATE idempotency SET kept_at = 0": "changed_idempotency",
    "UPDATE idempotency SET refusal = '{}' WHERE count > 0": "changed_idempotency",
    "UPDATE idempotency SET refusal = '{' WHERE count = 0": "changed_idempotency",
}


@pytest.fixture
def kept(written: EventLog) -> EventLog:
    """What was kept of two writes, one of which was refused; each commit has a time of its own."""
    clock = itertools.count(5 * 10**18, 10**9)
    with Writing(written, clock=lambda: next(clock)) as writing:
        for number, events in enumerate(((session(7), session(8)), (), (session(9),))):
            refusal = None if events else '{"error": "no"}'
            idempotent = Idempotent(key=bytes([number]) * 32, request=bytes(32), refusal=refusal)
            append = Append(events=events, metadata=META, idempotent=idempotent if number < 2 else None)
            done: Future[Result] = Future()
            writing.writer.submit(append, done.set_result)
            done.result(SOON_S)
    return written


def test_what_is_kept_beside_the_events_is_in_order(kept: EventLog) -> None:
    assert verify(kept).problems == []


@pytest.mark.parametrize("statement", BESIDE)
def test_what_was_changed_beside_the_events(kept: EventLog, statement: str) -> None:
    tamper(kept, statement)
    assert kinds(verify(kept)) == {BESIDE[statement]}


@pytest.mark.parametrize("trigger", ["events_are_not_changed", "events_are_not_deleted"])
def test_a_trigger_that_was_taken_away(written: EventLog, trigger: str) -> None:
    with closing(sqlite3.connect(written.path, isolation_level=None)) as db:
        db.execute(f"DROP TRIGGER {trigger}")
    assert [each.text for each in verify(written).problems] == [f"events.sqlite: the trigger {trigger} is missing"]


KEYS = {
    "DELETE FROM heads": "missing_note",
    "UPDATE heads SET missing = 1": "missing_note",
    "UPDATE heads SET position = 3": "missing_head",
    "UPDATE secrets SET value = randomblob(32) WHERE name = 'message hashes'": "changed_secret",
    "DELETE FROM secrets WHERE name = 'message hashes'": "changed_secret",
    "UPDATE secrets SET name = 'other' WHERE name = 'message hashes'": "changed_secret",
    "UPDATE session_keys SET key = x'00' WHERE session_id = 77": "changed_key",
    "INSERT INTO format VALUES (1)": "changed_shape",
    "CREATE TABLE other(a)": "changed_shape",
}


@pytest.mark.parametrize("statement", KEYS)
def test_what_was_changed_beside_the_keys(written: EventLog, statement: str) -> None:
    written.keys.secret("message hashes")
    written.keys.ensure([77])
    assert verify(written).ok
    tamper_keys(written, statement)
    assert kinds(verify(written)) == {KEYS[statement]}


SECRETS = {
    "DELETE FROM secrets": "missing, and is named in event 10",
    "DELETE FROM secrets WHERE name LIKE '%client keys'": "missing, and is named in event 10",
    "DELETE FROM secrets WHERE name LIKE 'sha256%'": "without the sha256 that was kept beside it",
    "UPDATE secrets SET value = randomblob(32) WHERE name = 'client keys'": "not the one that was made",
}


@pytest.fixture
def named(written: EventLog) -> EventLog:
    """The log names the secrets of its keys."""
    with Writing(written) as writing:
        writing.commit(new("workspace", ConfigurationLoaded(values={}, hash="c", secrets=written.keys.digests())))
    return written


@pytest.mark.parametrize("statement", SECRETS)
def test_secrets_that_the_log_names(named: EventLog, statement: str) -> None:
    assert verify(named).ok
    tamper_keys(named, statement)
    found = verify(named)
    assert kinds(found) == {"changed_secret"}
    assert f"keys.sqlite: the secret for client keys is {SECRETS[statement]}" in {each.text for each in found.problems}


def test_secrets_that_were_made_anew_are_not_those_of_before(named: EventLog) -> None:
    tamper_keys(named, "DELETE FROM secrets")
    with Writing(named) as writing:
        writing.commit(new("workspace", ConfigurationLoaded(values={}, hash="c", secrets=named.keys.digests())))
    found = verify(named)
    assert (len(found.problems), kinds(found)) == (4, {"changed_secret"})
    assert found.problems[0].text.endswith("not the one that the log names in event 10")


def test_a_log_without_its_keys_misses_no_secret(named: EventLog) -> None:
    tamper_keys(named, "DELETE FROM secrets", "DELETE FROM heads")
    lock_out(named.path.parent)
    assert verify(named).ok


def test_a_part_of_the_log(written: EventLog) -> None:
    tamper(written, "UPDATE events SET actor = 'mcp' WHERE position = 2")
    assert verify(written, first=3).ok
    assert verify(written, last=1).ok
    assert not verify(written, first=2, last=2).ok
    assert verify(written, last=99).to == 9


@pytest.mark.parametrize(("first", "last", "said"), [(20, None, "ends at event 9"), (5, 3, "from 5 to 3")])
def test_a_part_without_an_event_is_not_in_order(written: EventLog, first: int, last: int | None, said: str) -> None:
    with pytest.raises(EmptyRangeError, match=said):
        verify(written, first, last)


def test_problems_are_bounded(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(*(started(number) for number in range(1, 151)))
    tamper(log, "UPDATE events SET actor = 'mcp'")
    found = verify(log)
    assert (len(found.problems), found.problems_total) == (MAX_PROBLEMS, 150)


def test_damaged_pages_are_named_and_raise_nothing(written: EventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 3] = hashlib.sha256(b"noise").digest() * 256
    path.write_bytes(data)
    found = verify(written)
    assert not found.ok
    assert "damaged_file" in kinds(found) or "changed_event" in kinds(found)


def test_a_log_that_was_emptied_is_missed_by_its_keys(log: EventLog) -> None:
    log.keys.ensure([1, 2])
    found = verify(log)
    assert (kinds(found), found.first_bad_position) == ({"missing_event"}, 1)


def test_an_empty_log(log: EventLog) -> None:
    found = verify(log)
    assert (found.ok, found.to, found.checked, found.head_hash) == (True, 0, 0, "0" * 64)
