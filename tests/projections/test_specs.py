"""Runs every spec, and checks that each event that a projection handles stands in one of its specs."""

import pytest

from projections.catalogue import PROJECTIONS
from projections.declaration import Projection
from projections.summaries import SUMMARIES
from schema.catalogue import REGISTRY
from tests.projections import (
    spec_compaction,
    spec_erasure,
    spec_exchanges,
    spec_forking,
    spec_gateway,
    spec_ledgers,
    spec_masks,
    spec_memories,
    spec_moving,
    spec_pins,
    spec_prices,
    spec_server_state,
    spec_session_stats,
    spec_sessions,
    spec_timeline,
    spec_unreadable,
    spec_workspace,
)
from tests.projections.conftest import Given
from tests.projections.spec import Spec

_MODULES = (
    spec_workspace,
    spec_sessions,
    spec_exchanges,
    spec_session_stats,
    spec_masks,
    spec_memories,
    spec_compaction,
    spec_pins,
    spec_ledgers,
    spec_server_state,
    spec_timeline,
    spec_unreadable,
    spec_erasure,
    spec_moving,
    spec_gateway,
    spec_prices,
    spec_forking,
)
SPECS = [spec for module in _MODULES for spec in module.SPECS]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.projection.name}: {spec.title}")
def test_given_events_then_rows(spec: Spec, given: Given) -> None:
    db = given(spec.given, [spec.projection])
    assert db.execute(spec.select).fetchall() == spec.rows


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_each_handled_event_stands_in_a_spec(projection: Projection) -> None:
    shown = {type(event) for spec in SPECS if spec.projection is projection for event in spec.given}
    assert set(projection.handles) - shown == set()


def test_names_are_not_shared() -> None:
    assert len({projection.name for projection in PROJECTIONS}) == len(PROJECTIONS)


def test_each_event_type_has_a_line_in_the_timeline() -> None:
    assert {cls.__name__ for cls in SUMMARIES} == set(REGISTRY.names())
