"""An event that cannot be decoded stops the projections that need it; the others go on, and say so."""

import logging
from pathlib import Path

import msgspec
import pytest

from projections.catalogue import PROJECTIONS
from projections.metrics import ExchangeTally
from projections.rebuilding import PoisonedRebuildError, build
from projections.store import open_store
from projections.unreadable import unreadable_between, unreadable_events
from schema.recorded import Recorded
from schema.unreadable import Unreadable
from tests.projections.building import FakeLog, completed, record, session, started
from tests.projections.rig import rig

HISTORY = record([session(1), started(1), completed(1), session(2), started(2, 2), completed(2, 2)])


def broken(recorded: Recorded, type_name: str | None = None) -> Recorded:
    """The same event as a program reads it that cannot."""
    name = type_name or recorded.type
    event = Unreadable(position=recorded.position, type=name, session_id=recorded.session_id, reason="it is damaged")
    return msgspec.structs.replace(recorded, type=name, event=event)


def replaced(*events: Recorded) -> list[Recorded]:
    changed = {event.position: event for event in events}
    return [changed.get(event.position, event) for event in HISTORY]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_projections_that_need_it_stop_and_the_others_go_on(
    tmp_path: Path, batch: int, caplog: pytest.LogCaptureFixture
) -> None:
    log = FakeLog(replaced(broken(HISTORY[3])))
    caplog.set_level(logging.ERROR)
    with rig(tmp_path / "read.sqlite", log, batch=batch) as at:
        at.runner.start()
        at.wait(6)
        states = at.states()
        assert states["sessions"] == ("failed", 3)
        assert states["exchanges"] == states["timeline"] == states["unreadable"] == ("live", 6)
        assert len(at.tables()["timeline"]) == 6
        errors = {each.name: each.error for each in at.runner.status()}
        assert errors["sessions"] == "event 4 (SessionStarted) cannot be read: it is damaged"
    assert "event 4 (SessionStarted) cannot be read: it is damaged" in caplog.messages


def test_a_type_that_nobody_knows_stops_none(tmp_path: Path) -> None:
    path, log = tmp_path / "read.sqlite", FakeLog(replaced(broken(HISTORY[3], "FutureEvent")))
    with rig(path, log) as at:
        at.runner.start()
        at.wait(6)
        assert set(at.states().values()) == {("live", 6)}
    store = open_store(path, PROJECTIONS, log)
    found = unreadable_events(store.db, at=6)
    assert str(found) == "event 4 (FutureEvent) cannot be read: it is damaged"
    assert (unreadable_events(store.db, at=3), list(unreadable_between(store.db, 1, 6))) == (None, [4])
    store.close()


def test_what_is_not_known_to_have_ended_is_not_counted(tmp_path: Path) -> None:
    path, log = tmp_path / "read.sqlite", FakeLog(replaced(broken(HISTORY[2])))
    with rig(path, log) as at:
        at.runner.start()
        at.wait(6)
        assert at.states()["exchanges"] == ("failed", 2)
    tally, store = ExchangeTally(), open_store(path, PROJECTIONS, log)
    tally.advance(store.db, at=6)
    store.close()
    assert dict(tally.requests) == {}


def test_the_tables_are_the_same_whenever_they_are_made(tmp_path: Path) -> None:
    log = FakeLog(replaced(broken(HISTORY[2]), broken(HISTORY[3], "FutureEvent")))
    found = []
    for number, batch in enumerate((1, 100)):
        with rig(tmp_path / f"{number}.sqlite", log, batch=batch) as at:
            at.runner.start()
            at.wait(6)
            found.append(at.tables())
    assert found[0] == found[1]


def test_what_can_be_read_later_is_in_the_tables_then(tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    with rig(path, FakeLog(replaced(broken(HISTORY[3])))) as at:
        at.runner.start()
        at.wait(6)
    with rig(path, FakeLog(HISTORY)) as at:
        at.runner.start()
        at.wait(6)
        assert set(at.states().values()) == {("live", 6)}
        mended = at.tables()
    with rig(tmp_path / "other.sqlite", FakeLog(HISTORY)) as at:
        at.runner.start()
        at.wait(6)
        assert at.tables() == mended


@pytest.mark.parametrize("name", ["SessionStarted", "FutureEvent"])
def test_tables_are_made_anew_of_a_log_that_can_be_read_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(PoisonedRebuildError, match=f"event 4 \\({name}\\) cannot be read: it is damaged"):
        build(tmp_path / "new.sqlite", PROJECTIONS, FakeLog(replaced(broken(HISTORY[3], name))), lambda done, of: None)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_gone_at_a_start_is_filled_again(tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    with rig(path, FakeLog(HISTORY)) as at:
        at.runner.start()
        at.wait(6)
        before = at.tables()
    store = open_store(path, PROJECTIONS, FakeLog(HISTORY))
    store.db.execute("DROP TABLE session_versions")
    store.close()
    with rig(path, FakeLog(HISTORY)) as at:
        at.runner.start()
        at.wait(6)
        assert at.tables() == before
