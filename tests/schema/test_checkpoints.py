"""The write-ahead log is moved into events.sqlite while the writer goes on, and at the end."""

import time
from pathlib import Path

from schema.checkpoints import Checkpointer
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
    assert log.path.with_name(log.path.name + "-wal").stat().st_size == 0
    assert log.chain_break() is None


def test_a_checkpoint_that_fails_is_left_to_the_next(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "no such directory" / "events.sqlite")
    checkpointer.start()
    checkpointer.committed(5 << 20)
    checkpointer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_checkpointer_that_never_ran_closes(tmp_path: Path) -> None:
    Checkpointer(tmp_path / "events.sqlite").close()
    assert list(tmp_path.iterdir()) == []
