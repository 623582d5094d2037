"""Events that cannot be decoded."""

from projections.timeline import TIMELINE
from projections.unreadable import UNREADABLE
from schema.unreadable import Unreadable
from tests.projections.building import completed, session
from tests.projections.spec import Spec

_GIVEN = (
    session(1, "a"),
    Unreadable(position=2, type="FutureEvent", session_id=1, reason="this program does not know FutureEvent"),
    completed(7),
    Unreadable(position=4, type="SessionStarted", session_id=None, reason="its data is damaged"),
)

SPECS = (
    Spec(
        title="where and why",
        projection=UNREADABLE,
        given=_GIVEN,
        select="SELECT * FROM unreadable_events ORDER BY position",
        rows=[
            (2, "FutureEvent", 1, "this program does not know FutureEvent"),
            (4, "SessionStarted", None, "its data is damaged"),
        ],
    ),
    Spec(
        title="every event has a line, also one that cannot be read, and an end whose beginning is not known",
        projection=TIMELINE,
        given=_GIVEN,
        select="SELECT position, summary FROM timeline ORDER BY position",
        rows=[
            (1, "session 1 started (manual)"),
            (2, "cannot be read: this program does not know FutureEvent"),
            (3, "exchange 7 completed: 10 + 5 tokens, "),
            (4, "cannot be read: its data is damaged"),
        ],
    ),
)
