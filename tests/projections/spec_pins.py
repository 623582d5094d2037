"""Pinned messages."""

from projections.pins import PINS
from schema.compaction import MessagePinned, MessageUnpinned
from tests.projections.building import START_MS
from tests.projections.spec import Spec

SPECS = (
    Spec(
        title="pins are versions",
        projection=PINS,
        given=(
            MessagePinned(session_id=1, ref="m", reason="the plan"),
            MessageUnpinned(session_id=1, ref="m"),
            MessagePinned(session_id=1, ref="m"),
        ),
        select="SELECT ref, from_position, to_position, pinned_at, reason FROM pins ORDER BY from_position",
        rows=[("m", 1, 2, START_MS + 1000, "the plan"), ("m", 3, None, START_MS + 3000, None)],
    ),
)
