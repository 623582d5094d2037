"""Every change of a stored value is found and named, and so is a missing end."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from schema.keys import KeyStore, NotedHead
from schema.log import EventLog
from schema.verification import MAX_PROBLEMS, Verification, Verifier
from tests.schema.writing import Writing, completed, session, started

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
    db = sqlite3.connect(log.path, isolation_level=None)
    for trigger in ("events_are_not_changed", "events_are_not_deleted"):
        db.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for statement in statements:
        db.execute(statement)
    db.close()


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
    assert (found.ok, kinds(found)) == (False, {"missing_head"})
    assert found.problems[0].text.startswith("event 9, the last one on 2")


def test_an_end_that_was_written_anew(written: EventLog, keys: KeyStore) -> None:
    tamper(written, "DELETE FROM events WHERE position >= 8")
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


def test_erased_contents_are_no_problem(written: EventLog, tmp_path: Path) -> None:
    tamper(written, "DELETE FROM blobs WHERE session_id = 1")
    db = sqlite3.connect(tmp_path / "keys.sqlite", isolation_level=None)
    db.execute("DELETE FROM session_keys WHERE session_id = 1")
    db.close()
    keys = KeyStore(tmp_path / "keys.sqlite", read_only=True)
    log = EventLog(written.path, keys, read_only=True)
    found = verify(log)
    assert (found.ok, found.erased_sessions) == (True, 1)
    log.close()
    keys.close()


def test_a_part_of_the_log(written: EventLog) -> None:
    tamper(written, "UPDATE events SET actor = 'mcp' WHERE position = 2")
    assert verify(written, first=3).ok
    assert verify(written, last=1).ok
    assert not verify(written, first=2, last=2).ok
    assert (verify(written, first=20).checked, verify(written, last=99).to) == (0, 9)


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


def test_an_empty_log(log: EventLog) -> None:
    found = verify(log)
    assert (found.ok, found.to, found.checked, found.head_hash) == (True, 0, 0, "0" * 64)
