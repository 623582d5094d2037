"""read.sqlite is disposable: whatever is wrong with it, the answers come back from the log."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from projections import store as store_module
from projections import tracking
from projections.catalogue import PROJECTIONS
from projections.declaration import Projection
from projections.store import FORMAT, open_store, reached
from schema.recorded import Recorded
from tests.projections.building import FakeLog, completed, record, session, started
from tests.projections.rig import noting, rig

EVENTS = record([session(1), started(1), session(2), completed(1)])
Tables = dict[str, list[tuple[object, ...]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "read.sqlite"


def _tables(path: Path, projections: Sequence[Projection] = PROJECTIONS, log: FakeLog | None = None) -> Tables:
    """Open the file, let the runner catch up, and read it."""
    with rig(path, log or FakeLog(EVENTS), projections) as at:
        at.runner.start()
        at.wait(at.log.head())
        return at.tables()


def _positions(path: Path, projections: Sequence[Projection] = PROJECTIONS, log: FakeLog | None = None) -> set[int]:
    """Where the projections stand when the file is opened."""
    store = open_store(path, projections, log or FakeLog(EVENTS))
    try:
        return set(store.positions.values())
    finally:
        store.close()


def _statement(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def _garble(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 5] = b"\xff" * 8192
    path.write_bytes(bytes(data))


def _of_a_newer_program(path: Path) -> None:
    _statement(path, f"PRAGMA user_version = {FORMAT + 1}")


def _of_an_older_program(path: Path) -> None:
    """Positions stood in the tracking table itself."""
    _statement(path, "DROP TABLE positions")
    _statement(path, "ALTER TABLE tracking ADD COLUMN position INTEGER NOT NULL DEFAULT 4")
    _statement(path, "PRAGMA user_version = 1")


def _with_other_tracking(path: Path) -> None:
    _statement(path, "ALTER TABLE positions RENAME COLUMN position TO place")


def _without_tracking(path: Path) -> None:
    _statement(path, "DROP TABLE tracking")


def _delete(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        _garble,
        _cut,
        _damage,
        _of_a_newer_program,
        _of_an_older_program,
        _with_other_tracking,
        _without_tracking,
        _delete,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_a_spoiled_file_is_built_anew(spoil: Callable[[Path], None], path: Path) -> None:
    before = _tables(path)
    spoil(path)
    assert _positions(path) == {0}
    assert _tables(path) == before
    assert before["exchanges"] != []


def test_a_file_in_order_is_kept(path: Path) -> None:
    _tables(path)
    assert _positions(path) == {4}


def test_it_is_set_up_for_readers_beside_the_writer(path: Path) -> None:
    store = open_store(path, PROJECTIONS, FakeLog())
    modes = [store.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    store.close()
    assert modes == ["wal", 1]


@pytest.mark.parametrize(
    "changed",
    [
        noting(version=2),
        msgspec.structs.replace(
            noting(), tables=("CREATE TABLE noted(position INTEGER PRIMARY KEY, more TEXT) STRICT",)
        ),
    ],
    ids=["version", "tables"],
)
def test_an_outdated_projection_is_built_anew_alone(changed: Projection, path: Path) -> None:
    _tables(path, [noting(), *PROJECTIONS])
    store = open_store(path, [changed, *PROJECTIONS], FakeLog(EVENTS))
    assert store.positions == {"noted": 0, **{each.name: 4 for each in PROJECTIONS}}
    assert store.db.execute("SELECT * FROM noted").fetchall() == []
    store.close()


def test_a_projection_that_is_gone_takes_its_tables_along(path: Path) -> None:
    tables = _tables(path, [noting(), *PROJECTIONS])
    assert tables["noted"] == [(1,), (3,)]
    assert "noted" not in _tables(path)


@pytest.mark.parametrize("other", [EVENTS[:3], record([session(9)] * 4)], ids=["lost its end", "another log"])
def test_rows_of_another_log_are_not_believed(other: list[Recorded], path: Path) -> None:
    _tables(path)
    log = FakeLog(other)
    assert _positions(path, log=log) == {0}


def test_a_machine_that_refuses_is_no_reason_to_delete(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        open_store(tmp_path / "missing" / "read.sqlite", PROJECTIONS, FakeLog())
    folder = tmp_path / "read.sqlite"
    folder.mkdir()
    with pytest.raises(sqlite3.OperationalError):
        open_store(folder, PROJECTIONS, FakeLog())
    assert folder.exists()


def test_a_file_that_another_program_locks_is_left_to_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _tables(path)
    monkeypatch.setattr(store_module, "_BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert _tables(path) == before
        db.execute("CREATE TABLE of_the_other(a)")
        db.execute("COMMIT")
    assert _positions(path) == {4}


def test_the_position_of_the_tables_is_that_of_the_furthest_projection(path: Path) -> None:
    store = open_store(path, PROJECTIONS, FakeLog())
    assert tracking.head(store.db) == 0
    tracking.advance(store.db, [PROJECTIONS[1].name], 7, "")
    assert tracking.head(store.db) == 7
    store.close()


def test_several_move_together(path: Path) -> None:
    store = open_store(path, PROJECTIONS, FakeLog())
    names = [each.name for each in PROJECTIONS]
    tracking.advance(store.db, names[1:], 7, "f" * 64)
    found = {each.name: (each.position, each.hash) for each in tracking.read_all(store.db).values()}
    assert found == {names[0]: (0, ""), **dict.fromkeys(names[1:], (7, "f" * 64))}
    store.close()


def test_how_far_a_file_of_tables_is(path: Path, tmp_path: Path) -> None:
    assert reached(path) is None
    _tables(path)
    found = reached(path)
    assert found is not None
    assert (found.position, found.hash.hex(), found.missing) == (4, EVENTS[-1].hash, False)
    _garble(path)
    assert reached(path) is None
    _positions(tmp_path / "other.sqlite")
    assert reached(tmp_path / "other.sqlite") is None


def test_tables_of_events_that_the_log_lost_are_told_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _tables(path)
    assert _positions(path, log=FakeLog(EVENTS[:3])) == {0}
    assert "the read tables had reached event 4, the log ends at event 3" in caplog.text
