"""What the MCP servers in process remember."""

from projections.server_state import SERVER_STATE
from projections.timeline import TIMELINE
from schema.erasure import ErasedCounts, SessionErased
from schema.server_state import ContextDeleted, ContextStored, ContextUpdated, TextPruned, ThoughtRecorded
from tests.projections.building import START_MS
from tests.projections.spec import Spec

ERASED = SessionErased(session_id=5, erased_at=1, counts=ErasedCounts())
STORED = ContextStored(
    session_id=5, context_id="ctx_1", content_ref="a", original_size=9, compressed_size=8, title="plan", tags='["x"]'
)

SPECS = (
    Spec(
        title="thoughts, without their text",
        projection=SERVER_STATE,
        given=(
            ThoughtRecorded(session_id=5, key="k", number=1, total=2, next_needed=True, thought="secret"),
            ThoughtRecorded(session_id=5, key="k", number=2, total=2, next_needed=False, branch_from=1, branch="b"),
            ThoughtRecorded(session_id=6, key="k", number=2, total=2, next_needed=False, branch_from=1, branch="c"),
            ERASED,
        ),
        select="SELECT position, key, session_id, number, branch_from, branch FROM thoughts ORDER BY position",
        rows=[(1, "k", 5, 1, None, None), (2, "k", 5, 2, 1, None), (3, "k", 6, 2, 1, "c")],
    ),
    Spec(
        title="contexts are versions; an update says what changes",
        projection=SERVER_STATE,
        given=(
            STORED,
            ContextUpdated(session_id=5, context_id="ctx_1", title="new plan"),
            ContextUpdated(session_id=5, context_id="ctx_1", content_ref="b", is_json=True, original_size=5),
            ContextDeleted(session_id=5, context_id="ctx_1"),
            ContextUpdated(session_id=5, context_id="ctx_1", title="too late"),
        ),
        select="SELECT from_position, to_position, content_position, content_ref, is_json, original_size, title, tags,"
        " stored_at, updated_at, number FROM contexts ORDER BY from_position",
        rows=[
            (1, 2, 1, "a", 0, 9, "plan", '["x"]', START_MS + 1000, START_MS + 1000, 1),
            (2, 3, 1, "a", 0, 9, "new plan", '["x"]', START_MS + 1000, START_MS + 2000, 1),
            (3, 4, 3, "b", 1, 5, "new plan", '["x"]', START_MS + 1000, START_MS + 3000, 1),
        ],
    ),
    Spec(
        title="what was erased has no names",
        projection=SERVER_STATE,
        given=(STORED, ERASED),
        select="SELECT context_id, title, tags FROM contexts",
        rows=[("ctx_1", None, None)],
    ),
    Spec(
        title="where the originals of pruned texts are",
        projection=SERVER_STATE,
        given=(TextPruned(session_id=5, prune_id="prn_1", text_ref="a", source_type="logs", original_lines=3),),
        select="SELECT prune_id, position, session_id, ref, lines FROM prunings",
        rows=[("prn_1", 1, 5, "a", 3)],
    ),
    Spec(
        title="their lines name no contents",
        projection=TIMELINE,
        given=(
            ThoughtRecorded(key="k", number=2, total=3, next_needed=True, revises=1, branch_from=1, thought="secret"),
            STORED,
            ContextUpdated(session_id=5, context_id="ctx_1", title="new"),
            ContextDeleted(session_id=5, context_id="ctx_1"),
            TextPruned(prune_id="p", text_ref="a", source_type="logs", original_lines=9, removed=((2, 4),), goal="x"),
        ),
        select="SELECT summary, sealed, instr(search, 'secret') FROM timeline ORDER BY position",
        rows=[
            ("thought 2 of 3, revising 1, branching from 1", None, 0),
            ("context ctx_1 stored: 9 bytes", 'plan ["x"]', 0),
            ("context ctx_1 changed", "new", 0),
            ("context ctx_1 deleted", None, 0),
            ("3 of 9 lines pruned (logs)", None, 0),
        ],
    ),
)
