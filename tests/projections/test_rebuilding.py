"""A new file beside the one in use is the same tables, and takes its place only when it is complete."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given

from projections.applying import Progress, apply_batch
from projections.catalogue import PROJECTIONS
from projections.rebuilding import PoisonedRebuildError, build, checksums, new_path, put_in_place
from projections.store import ReadPool, open_store
from schema.recorded import Recorded
from tests.projections.building import FakeLog, completed, dump, record, session, started
from tests.projections.histories import histories, tried

HISTORY = record([session(1), started(1), completed(1), started(2), session(2), completed(2)])


def indexes(path: Path) -> list[tuple[object, ...]]:
    db = sqlite3.connect(path)
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name").fetchall()
    db.close()
    return rows


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    db = sqlite3.connect(path)
    rows = dump(db)
    db.close()
    return rows


def live(path: Path, events: list[Recorded], batch: int = 3) -> None:
    store = open_store(path, PROJECTIONS, FakeLog(events))
    progress = [Progress(each, 0) for each in PROJECTIONS]
    for first in range(0, len(events), batch):
        apply_batch(store.db, progress, events[first : first + batch])
    store.close()


@tried
@given(histories())
def test_it_equals_what_lived(tmp_path_factory: pytest.TempPathFactory, events: list[Recorded]) -> None:
    folder = tmp_path_factory.mktemp("rebuilt")
    live(folder / "read.sqlite", events)
    built = build(new_path(folder / "read.sqlite"), PROJECTIONS, FakeLog(events), lambda done, of: None)
    assert tables(built.path) == tables(folder / "read.sqlite")
    assert indexes(built.path) == indexes(folder / "read.sqlite")
    assert checksums(built.path) == checksums(folder / "read.sqlite")


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build(tmp_path / "new.sqlite", PROJECTIONS, FakeLog(HISTORY), lambda done, of: told.append((done, of)))
    assert told == [(6, 6)]


def test_it_takes_the_place(tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    live(path, HISTORY[:3])
    built = build(new_path(path), PROJECTIONS, FakeLog(HISTORY), lambda done, of: None)
    put_in_place(built.path, path)
    assert {each.name for each in tmp_path.iterdir()} == {"read.sqlite"}
    store = open_store(path, PROJECTIONS, FakeLog(HISTORY))
    assert set(store.positions.values()) == {6}
    store.close()


async def test_readers_are_answered_on_both_sides_of_the_swap(tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    live(path, HISTORY[:3])
    pool = ReadPool(path)

    def count(db: sqlite3.Connection, *, at: int) -> int:
        return int(db.execute("SELECT count(*) FROM exchanges").fetchone()[0])

    assert (await pool.run(count)).value == 1
    built = build(new_path(path), PROJECTIONS, FakeLog(HISTORY), lambda done, of: None)
    assert (await pool.run(count)).value == 1
    pool.swap(lambda: put_in_place(built.path, path))
    assert (await pool.run(count)).value == 2
    pool.close()


def test_a_poisoned_event_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    with pytest.raises(PoisonedRebuildError, match="never began"):
        build(path, PROJECTIONS, FakeLog(record([session(1), completed(7)])), lambda done, of: None)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_row_changes_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    live(path, HISTORY)
    before = checksums(path)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE timeline SET summary = summary || '.' WHERE position = 2")
    db.close()
    after = checksums(path)
    assert {name for name in before if before[name] != after[name]} == {"timeline"}


def test_what_was_checked_is_not_read_whole_again(tmp_path: Path) -> None:
    """Whoever waits for the runner would wait for that: seconds for a gigabyte. A page that is no page tells."""
    path = tmp_path / "read.sqlite"
    live(path, HISTORY)
    db = sqlite3.connect(path, isolation_level=None)
    (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'timeline'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with path.open("rb+") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    log = FakeLog(HISTORY)
    store = open_store(path, PROJECTIONS, log, checked=True)
    assert set(store.positions.values()) == {6}
    store.close()
    store = open_store(path, PROJECTIONS, log)
    assert set(store.positions.values()) == {0}
    store.close()
