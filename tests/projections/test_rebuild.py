"""However the events arrive, the tables are the same."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from projections import tracking
from projections.applying import Progress, apply_batch
from projections.catalogue import PROJECTIONS
from schema.recorded import Recorded
from tests.projections.building import FakeLog, apply, dump, memory
from tests.projections.histories import histories, tried


def _tables(events: Sequence[Recorded], batch: int) -> dict[str, list[tuple[object, ...]]]:
    db = memory()
    try:
        assert all(progress.error is None for progress in apply(db, PROJECTIONS, events, batch=batch))
        return dump(db)
    finally:
        db.close()


@tried
@given(histories(), st.integers(1, 50))
def test_batches_of_any_size_give_the_same_tables(events: list[Recorded], batch: int) -> None:
    assert _tables(events, batch) == _tables(events, 1)


@tried
@given(histories(), st.data())
def test_a_program_that_was_started_anew_goes_on_with_the_same_tables(
    events: list[Recorded], data: st.DataObject
) -> None:
    """Nothing that folds keep in memory may be missed."""
    middle = data.draw(st.integers(0, len(events)))
    db = memory()
    try:
        apply(db, PROJECTIONS, events[:middle])
        positions = tracking.prepare(db, PROJECTIONS, FakeLog(events))
        progress = [Progress(each, positions[each.name]) for each in PROJECTIONS]
        apply_batch(db, progress, events[middle:])
        assert [each.error for each in progress if each.error] == []
        went_on = dump(db)
    finally:
        db.close()
    assert went_on == _tables(events, 1_000)


@tried
@given(histories(), st.data())
def test_a_projection_that_joins_late_gives_the_same_tables(events: list[Recorded], data: st.DataObject) -> None:
    """One projection is outdated half-way, is emptied, and catches up while the others wait for it."""
    middle = data.draw(st.integers(0, len(events)))
    late = data.draw(st.sampled_from(PROJECTIONS))
    db = memory()
    try:
        apply(db, [each for each in PROJECTIONS if each is not late], events[:middle])
        positions = tracking.prepare(db, PROJECTIONS, FakeLog(events))
        assert positions[late.name] == 0
        progress = [Progress(each, positions[each.name]) for each in PROJECTIONS]
        apply_batch(db, progress, events)
        joined = dump(db)
    finally:
        db.close()
    assert joined == _tables(events, 7)
