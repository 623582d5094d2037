"""Whether a file of read tables is still what was made, also for others than the connection that writes it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from projections.catalogue import PROJECTIONS
from projections.store import ReadStore, open_store
from projections.trouble import is_damage, is_environmental, is_of_the_file
from projections.whole import lacking, seen_anew
from tests.projections.building import FakeLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "read.sqlite"


def checkpointed(path: Path) -> ReadStore:
    store = open_store(path, PROJECTIONS, FakeLog([]))
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    store.db.execute("SELECT * FROM sqlite_schema").fetchall()
    return store


def overwrite(path: Path, first: int) -> None:
    """From byte `first` on, in place."""
    with path.open("r+b") as file:
        file.seek(first)
        file.write(b"\xff" * (path.stat().st_size - first))


def test_a_file_that_was_overwritten_in_place_is_seen_by_a_new_connection(path: Path) -> None:
    with closing(checkpointed(path)) as store:
        assert seen_anew(path, damaged=True) is None
        overwrite(path, 0)
        assert lacking(store.db) is None
        assert seen_anew(path, damaged=False) == "file is not a database"


def test_damaged_pages_are_looked_for_where_something_was_damaged(path: Path) -> None:
    with closing(checkpointed(path)):
        overwrite(path, path.stat().st_size - 4_096)
        assert seen_anew(path, damaged=False) is None
        assert seen_anew(path, damaged=True) is not None


def test_a_file_that_is_locked_is_not_damaged(path: Path) -> None:
    checkpointed(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        assert seen_anew(path, damaged=True) is None


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(4_096)


def emptied_log(path: Path) -> None:
    with path.with_name("read.sqlite-wal").open("r+b") as file:
        file.truncate(0)


@pytest.mark.parametrize("harm", [cut, emptied_log])
def test_an_end_that_comes_too_soon_is_damage(path: Path, harm: Callable[[Path], None]) -> None:
    with closing(checkpointed(path)) as store:
        store.db.execute("CREATE TABLE more(a)")
        harm(path)
        with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.DatabaseError) as raised:
            db.execute("SELECT * FROM session_versions").fetchall()
            db.execute("PRAGMA integrity_check(1)").fetchall()
    found = raised.value
    assert (is_damage(found), is_of_the_file(found), is_environmental(found)) == (True, True, False)
