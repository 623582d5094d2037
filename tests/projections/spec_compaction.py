"""Compactions, compressions, their undoing, pins, and the state of contexts."""

import msgspec

from projections.compaction import COMPACTION
from projections.context_state import ContextState
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    TokensReserved,
)
from tests.projections.building import START_MS, compacted, compressed, started, undone
from tests.projections.spec import Spec

_STATES = "SELECT session_id, position, consecutive, state FROM context_states ORDER BY position"


def _row(position: int, state: ContextState) -> tuple[object, ...]:
    return 1, position, state.consecutive, msgspec.json.encode(state).decode()


SPECS = (
    Spec(
        title="what was decided, and that it was undone",
        projection=COMPACTION,
        given=(compacted(1), compressed(2, model="demo/echo"), undone(2, kind="compression")),
        select="SELECT position, kind, number, timestamp, trigger, removed_refs, summary, model, reverted_position,"
        " reverted_at FROM prefix_decisions ORDER BY position",
        rows=[
            (1, "compaction", 1, START_MS + 1000, "manual", "a b", "shorter", None, None, None),
            *((2, "compression", 2, START_MS + 2000, "manual", "a b", "shorter", "demo/echo", 3, START_MS + 3000),),
        ],
    ),
    Spec(
        title="the settings of a session and why it was not compacted",
        projection=COMPACTION,
        given=(
            TokensReserved(session_id=1, from_=0, to=500),
            AutoCompactionDisabled(session_id=1),
            AutoCompactionEnabled(session_id=1),
            AutoCompactionSkipped(session_id=1, reason="cooldown", tokens=9, threshold_tokens=8),
        ),
        select=_STATES,
        rows=[
            _row(1, ContextState(reserved_tokens=500)),
            _row(2, ContextState(reserved_tokens=500, auto=False)),
            _row(3, ContextState(reserved_tokens=500, auto=True)),
            _row(4, ContextState(reserved_tokens=500, auto=True, skip_reason="cooldown")),
        ],
    ),
    Spec(
        title="automatic compactions in a row are counted until a context is below the threshold again",
        projection=COMPACTION,
        given=(
            compacted(1, trigger_reason="auto_threshold"),
            started(1, over_threshold=True),
            compacted(2, trigger_reason="auto_threshold"),
            started(2),
            started(3),
        ),
        select="SELECT position, consecutive FROM context_states ORDER BY position",
        rows=[(1, 1), (3, 2), (4, 0)],
    ),
)
