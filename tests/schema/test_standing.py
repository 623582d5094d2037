"""Which files of a data directory belong together, and what a log and its keys know to be missing of each other."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.keys import KeyStore, NotedHead
from schema.locked_out import lock_out
from schema.log import EventLog
from schema.recorded import NewEvent
from schema.standing import Standing, UnfitDirectoryError, standing
from schema.workspace import AutoSessionEnabled, ConfigurationLoaded, RecordingGap
from tests.schema.writing import Writing, new, session, started


def written(directory: Path, *events: NewEvent) -> Path:
    directory.mkdir()
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    with Writing(log) as writing:
        writing.commit(*events)
    log.close()
    keys.close()
    return directory


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Six events; sessions 1 and 2 have contents."""
    setting = new("workspace", AutoSessionEnabled())
    return written(
        tmp_path / "whole",
        setting,
        session(1),
        session(2),
        started(1, b"1"),
        started(2, b"2", session_id=2),
        session(3),
    )


def tamper(directory: Path, name: str, *statements: str) -> None:
    with closing(sqlite3.connect(directory / f"{name}.sqlite", isolation_level=None)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            db.execute(statement)


def take_away(directory: Path, name: str) -> None:
    for path in directory.glob(f"{name}.sqlite*"):
        path.unlink()


def check_unfit(directory: Path, said: str, *, without_keys: bool = False) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    with pytest.raises(UnfitDirectoryError, match=said):
        standing(directory, without_keys=without_keys)
    after = {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    assert after == before


def test_files_that_belong_together(whole: Path) -> None:
    assert standing(whole) == Standing()


def test_a_directory_in_which_nothing_was_yet(tmp_path: Path) -> None:
    assert standing(tmp_path / "none") == Standing()
    (tmp_path / "keys.sqlite").touch()
    assert standing(tmp_path) == Standing()
    with closing(KeyStore(tmp_path / "keys.sqlite")) as keys:
        keys.secret("message hashes")
    assert standing(tmp_path) == Standing()


def test_keys_that_are_gone(whole: Path) -> None:
    take_away(whole, "keys")
    check_unfit(whole, "keys.sqlite is missing: .*Put keys.sqlite back from a backup .*--without-keys")
    (whole / "keys.sqlite").touch()
    check_unfit(whole, "keys.sqlite is empty: ")
    KeyStore(whole / "keys.sqlite").close()
    check_unfit(whole, "keys.sqlite holds none of its keys: ")
    assert standing(whole, without_keys=True).lost_keys == (1, 2, 3)


def test_keys_are_not_missed_where_nothing_is_sealed(tmp_path: Path) -> None:
    directory = written(tmp_path / "new", new("workspace", AutoSessionEnabled()))
    take_away(directory, "keys")
    assert standing(directory) == Standing()


def test_some_keys_that_are_gone(whole: Path) -> None:
    tamper(whole, "keys", "DELETE FROM session_keys WHERE session_id IN (1, 3)")
    found = standing(whole)
    assert found.lost_keys == (1, 3)
    assert "the keys of sessions 1, 3 are missing" in found.told()[0]


def test_secrets_that_are_gone(tmp_path: Path) -> None:
    loaded = ConfigurationLoaded(values={}, hash="c", secrets={"client keys": "a" * 64, "mcp sessions": "b" * 64})
    directory = written(tmp_path / "named", new("workspace", loaded))
    found = standing(directory)
    assert found.lost_secrets == ("client keys", "mcp sessions")
    assert "the secrets for client keys, mcp sessions are not in keys.sqlite" in found.told()[0]


def test_secrets_that_are_gone_are_told_until_the_log_names_others(tmp_path: Path) -> None:
    directory = tmp_path / "named"
    directory.mkdir()
    with (
        closing(KeyStore(directory / "keys.sqlite")) as keys,
        closing(EventLog(directory / "events.sqlite", keys)) as log,
    ):
        for secrets in ({"client keys": "a" * 64}, keys.digests()):
            with Writing(log) as writing:
                writing.commit(new("workspace", ConfigurationLoaded(values={}, hash="c", secrets=secrets)))
    assert standing(directory) == Standing()


def test_keys_of_erased_sessions_are_not_missed(tmp_path: Path) -> None:
    asked = new("workspace", SessionErasureRequested(session_id=1, counts=ErasedCounts()))
    directory = written(tmp_path / "erased", session(1), session(2), asked)
    tamper(directory, "keys", "DELETE FROM session_keys WHERE session_id = 1")
    assert standing(directory) == Standing()


@pytest.mark.parametrize("without_keys", [False, True])
def test_keys_of_another_log(whole: Path, tmp_path: Path, without_keys: bool) -> None:
    other = written(tmp_path / "other", session(1), session(2), session(3))
    shutil.copy(other / "keys.sqlite", whole)
    check_unfit(whole, "belongs to another log", without_keys=without_keys)
    tamper(whole, "keys", "DELETE FROM heads")
    check_unfit(whole, "belongs to another log", without_keys=without_keys)


def test_contents_that_were_changed_are_no_sign_of_another_log(whole: Path) -> None:
    tamper(whole, "events", "UPDATE events SET sealed = zeroblob(60) WHERE position IN (2, 6)")
    assert standing(whole) == Standing()


@pytest.mark.parametrize("empty", [False, True])
def test_a_log_that_is_gone(whole: Path, empty: bool) -> None:
    take_away(whole, "events")
    if empty:
        (whole / "events.sqlite").touch()
    how = "empty" if empty else "missing"
    check_unfit(whole, f"events.sqlite is {how}, but keys.sqlite knows a log up to event 6: ")
    tamper(whole, "keys", "DELETE FROM heads")
    check_unfit(whole, f"events.sqlite is {how}, but keys.sqlite knows a log with the contents of 3 sessions")


@pytest.mark.parametrize("left", [1, 4])
def test_a_log_that_lost_its_end(whole: Path, left: int) -> None:
    tamper(whole, "events", f"DELETE FROM events WHERE position > {left}")
    found = standing(whole)
    end = found.lost_end
    assert end is not None
    assert (end.head, end.noted.position, found.lost_keys) == (left, 6, ())
    assert found.told()[0].startswith(f"events {left + 1} to 6, which were there on 2")
    gap = end.gap()
    assert gap == RecordingGap(from_=end.since, to=max(end.since, end.noted.noted_at), count=6 - left, upto=6)


def test_an_end_that_something_else_remembers(whole: Path) -> None:
    seen = NotedHead(9, bytes(32), 2_000_000_000_000, missing=False)
    end = standing(whole, seen=seen).lost_end
    assert end is not None
    assert (end.head, end.noted) == (6, seen)
    assert standing(whole, seen=NotedHead(6, bytes(32), 0, missing=False)) == Standing()


def test_an_end_that_was_written_anew(whole: Path) -> None:
    tamper(whole, "keys", "UPDATE heads SET hash = zeroblob(32)")
    found = standing(whole)
    assert found.lost_end is not None
    assert found.lost_end.gap() is None
    assert "is not in it: another is there" in found.told()[0]


def test_what_is_known_to_be_missing_is_told_once(whole: Path) -> None:
    tamper(whole, "events", "DELETE FROM events WHERE position > 4")
    end = standing(whole).lost_end
    assert end is not None
    with closing(KeyStore(whole / "keys.sqlite")) as keys:
        keys.lost_head(end.noted)
        assert [(head.position, head.missing) for head in keys.noted_heads()] == [(6, True)]
    assert standing(whole) == Standing()


def test_ids_that_may_have_been_given_are_not_given_again(whole: Path) -> None:
    with (
        closing(KeyStore(whole / "keys.sqlite")) as keys,
        closing(EventLog(whole / "events.sqlite", keys)) as log,
    ):
        assert (log.given(), log.max_id("session_id"), log.max_id("exchange_id")) == (0, 3, 2)
        tamper(whole, "events", "DELETE FROM events WHERE position > 4")
        assert log.given() == log.max_id("session_id") == log.max_id("exchange_id") == 1_006
        keys.lost_head(keys.noted_heads()[0])
        with Writing(log) as writing:
            writing.commit(*(session(number) for number in range(50, 60)))
        assert log.given() == 1_006


def test_a_log_that_came_without_its_keys_is_not_served_for_another_reason(whole: Path) -> None:
    take_away(whole, "keys")
    lock_out(whole)
    assert standing(whole) == Standing()
