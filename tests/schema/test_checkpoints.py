"""The write-ahead log is moved into events.sqlite while the writer goes on, and at the end."""

import time
from pathlib import Path

from schema.checkpoints import Checkpointer
from schema.keys import KeyStore
from schema.log import EventLog
from tests.schema.writing import SOON_S, Writing, session, started


def test_the_wal_is_moved_while_the_writer_goes_on(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(session(1))
        small = log.path.stat().st_size
        for number in range(1, 5):
            writing.commit(*(started(number * 100 + part, preview="x" * 50_000) for part in range(30)))
        deadline = time.monotonic() + SOON_S
        while log.path.stat().st_size < small + (4 << 20) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert log.path.stat().st_size >= small + (4 << 20)
        writing.commit(session(2))
    wal = log.path.with_name(log.path.name + "-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    assert log.chain_break() is None


def test_a_checkpoint_that_fails_is_left_to_the_next(tmp_path: Path, keys: KeyStore) -> None:
    missing = tmp_path / "no such directory" / "events.sqlite"
    checkpointer = Checkpointer(missing, keys)
    checkpointer.start()
    checkpointer.committed(5 << 20)
    checkpointer.close()
    assert not missing.parent.exists()


def test_a_checkpointer_that_never_ran_closes(tmp_path: Path, keys: KeyStore) -> None:
    path = tmp_path / "other.sqlite"
    Checkpointer(path, keys).close()
    assert not path.exists()


def test_the_last_event_is_noted_at_the_end(log: EventLog, keys: KeyStore) -> None:
    with Writing(log) as writing:
        writing.commit(session(1), session(2))
    (head,) = keys.noted_heads()
    last = log.at(log.head())
    assert last is not None
    assert (head.position, head.hash.hex(), head.missing) == (last.position, last.hash, False)


def test_the_last_event_is_noted_now_and_then(log: EventLog, keys: KeyStore) -> None:
    checkpointer = Checkpointer(log.path, keys, note_every_s=0.01)
    with Writing(log) as writing:
        writing.commit(session(1))
        checkpointer.start()
        deadline = time.monotonic() + SOON_S
        while not keys.noted_heads() and time.monotonic() < deadline:
            time.sleep(0.01)
        writing.commit(session(2))
        while keys.noted_heads()[-1].position < log.head() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [head.position for head in keys.noted_heads()] == [log.head()]
        checkpointer.close()


def test_the_last_event_is_noted_with_each_checkpoint(log: EventLog, keys: KeyStore) -> None:
    with Writing(log) as writing:
        writing.commit(session(1), session(2))
    first = log.at(1)
    assert first is not None
    keys.note_head(1, bytes.fromhex(first.hash))
    checkpointer = Checkpointer(log.path, keys, note_every_s=3_600)
    checkpointer.start()
    wait_for_note(log, keys)
    keys.note_head(1, bytes.fromhex(first.hash))
    checkpointer.committed(5 << 20)
    wait_for_note(log, keys)
    checkpointer.close()


def wait_for_note(log: EventLog, keys: KeyStore) -> None:
    deadline = time.monotonic() + SOON_S
    while [head.position for head in keys.noted_heads()] != [log.head()]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_head_that_is_gone_stays_noted_as_missing(log: EventLog, keys: KeyStore) -> None:
    with Writing(log) as writing:
        writing.commit(session(1))
    keys.note_head(99, bytes(32))
    for _ in range(2):
        with Writing(log) as writing:
            writing.commit(session(2))
    assert [(head.position, head.missing) for head in keys.noted_heads()] == [(log.head(), False), (99, True)]


def test_another_event_in_the_place_of_the_head_is_a_missing_head(log: EventLog, keys: KeyStore) -> None:
    with Writing(log) as writing:
        writing.commit(session(1))
    keys.note_head(log.head(), bytes(32))
    checkpointer = Checkpointer(log.path, keys)
    checkpointer.start()
    checkpointer.close()
    assert sorted(head.missing for head in keys.noted_heads()) == [False, True]
