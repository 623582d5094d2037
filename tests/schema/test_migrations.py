"""From every shape that a file had to the one it has now, with a copy of what was there."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from schema.migrations import Migration, NewerLogError, OlderLogError, bring_up_to_date, check_readable, statements

ONE = Migration("one", statements("CREATE TABLE t(a INTEGER)", "INSERT INTO t VALUES (1)"))
TWO = Migration("two", statements("ALTER TABLE t ADD COLUMN b INTEGER", "UPDATE t SET b = a + 1"))
THREE = Migration("three", statements("UPDATE t SET b = b * 10"))
BROKEN = Migration("broken", statements("UPDATE t SET b = 0", "no SQL at all"))


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT * FROM t").fetchall()


def formats(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT version FROM format").fetchall()


def test_a_new_file_takes_all_steps_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    assert bring_up_to_date(path, (ONE, TWO, THREE)) is None
    assert (rows(path), formats(path)) == ([(1, 20)], [(3,)])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {each.name for each in tmp_path.iterdir()} == {"log.sqlite"}


def test_a_file_of_the_shape_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    bring_up_to_date(path, (ONE, TWO))
    before = path.read_bytes()
    assert bring_up_to_date(path, (ONE, TWO)) is None
    assert path.read_bytes() == before


def page_size(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA page_size").fetchone()[0])


def test_the_size_of_pages_is_that_of_a_new_file_or_its_own(tmp_path: Path) -> None:
    new, old = tmp_path / "new.sqlite", tmp_path / "old.sqlite"
    bring_up_to_date(new, (ONE,), page_size=512)
    bring_up_to_date(old, (ONE,))
    bring_up_to_date(old, (ONE, TWO), page_size=512)
    assert (page_size(new), page_size(old)) == (512, 4096)
    bring_up_to_date(new, (ONE, TWO, THREE))
    assert (page_size(new), rows(new)) == (512, [(1, 20)])


@pytest.mark.parametrize("known", [1, 2])
def test_an_earlier_shape_is_copied_first(tmp_path: Path, known: int) -> None:
    path = tmp_path / "log.sqlite"
    bring_up_to_date(path, (ONE, TWO, THREE)[:known])
    was = rows(path)
    backup = bring_up_to_date(path, (ONE, TWO, THREE))
    assert backup == tmp_path / f"log.format-{known}.sqlite"
    assert (rows(backup), formats(backup)) == (was, [(known,)])
    assert (rows(path), formats(path)) == ([(1, 20)], [(3,)])
    if sys.platform != "win32":
        assert backup.stat().st_mode & 0o077 == 0


def test_a_step_that_fails_leaves_the_last_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    bring_up_to_date(path, (ONE,))
    with pytest.raises(sqlite3.Error):
        bring_up_to_date(path, (ONE, TWO, BROKEN))
    assert (rows(path), formats(path)) == ([(1, 2)], [(2,)])
    bring_up_to_date(path, (ONE, TWO, THREE))
    assert rows(path) == [(1, 20)]


def test_a_later_shape_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    bring_up_to_date(path, (ONE, TWO))
    before = path.read_bytes()
    with pytest.raises(NewerLogError, match=r"log\.sqlite has format 2, this version knows up to 1"):
        bring_up_to_date(path, (ONE,))
    assert path.read_bytes() == before


def test_a_file_that_is_only_read_must_have_the_shape(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.touch()
    with pytest.raises(sqlite3.DatabaseError, match=r"log\.sqlite is empty"):
        check_readable(path, (ONE,))
    bring_up_to_date(path, (ONE,))
    check_readable(path, (ONE,))
    with pytest.raises(OlderLogError, match="start the proxy once"):
        check_readable(path, (ONE, TWO))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE format SET version = 0", "says that it has format 0"),
        ("UPDATE format SET version = -1", "says that it has format -1"),
        ("DELETE FROM format", "does not say which format it has"),
        ("DROP TABLE format", "does not say which format it has"),
    ],
)
def test_tables_without_their_number_are_neither_read_nor_changed(tmp_path: Path, statement: str, said: str) -> None:
    path = tmp_path / "log.sqlite"
    bring_up_to_date(path, (ONE,))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    before = path.read_bytes()
    for opened in (bring_up_to_date, check_readable):
        with pytest.raises(sqlite3.DatabaseError, match=rf"log\.sqlite {said}: it was changed or is damaged"):
            opened(path, (ONE, TWO))
    assert path.read_bytes() == before
