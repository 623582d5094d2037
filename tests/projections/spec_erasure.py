"""What erasing a session leaves of it in each table: what a log without its key would have made."""

from projections.compaction import COMPACTION
from projections.exchanges import EXCHANGES
from projections.masks import MASKS
from projections.pins import PINS
from projections.sessions import SESSIONS
from projections.timeline import TIMELINE
from projections.workspace import WORKSPACE
from schema.compaction import LeftOut, MessagePinned
from schema.erasure import ErasedCounts, SessionErased, SessionErasureRequested
from schema.workspace import SessionActivated
from tests.projections.building import compacted, failed, session, started
from tests.projections.spec import Spec

REQUESTED = SessionErasureRequested(session_id=1, counts=ErasedCounts(messages=2), reason="asked for")
ERASED = SessionErased(session_id=1, key_id="k" * 64, erased_at=77, counts=ErasedCounts(messages=2), reason="asked for")

SPECS = (
    Spec(
        title="its name is gone from all its versions, and it says since when",
        projection=SESSIONS,
        given=(session(1, "Secret Plan"), session(2, "other"), REQUESTED, ERASED),
        select="SELECT session_id, from_position, name, name_folded, erased_at FROM session_versions ORDER BY 1, 2",
        rows=[(1, 1, None, "", None), (1, 3, None, "", None), (1, 4, None, "", 77), (2, 2, "other", "other", None)],
    ),
    Spec(
        title="texts of its exchanges are gone, figures stay",
        projection=EXCHANGES,
        given=(
            started(1, 1, preview="secret"),
            failed(1, 1),
            started(2, 2, preview="kept"),
            started(3, 1, preview="secret"),
            ERASED,
        ),
        select="SELECT exchange_id, preview, error_code, error_message, received_tokens FROM exchanges ORDER BY 1",
        rows=[(1, None, "upstream_timeout", None, 10), (2, "kept", None, None, 10), (3, None, None, None, 10)],
    ),
    Spec(
        title="previews of masks are gone",
        projection=MASKS,
        given=(compacted(1, 1, outputs=(LeftOut("hash-a", "ref-a", "bash", 9),), previews='["secret"]'), ERASED),
        select="SELECT hash, preview FROM masks",
        rows=[("hash-a", None)],
    ),
    Spec(
        title="summaries are gone",
        projection=COMPACTION,
        given=(compacted(1, 1), ERASED),
        select="SELECT number, summary, tokens_before FROM prefix_decisions",
        rows=[(1, None, 100)],
    ),
    Spec(
        title="reasons of pins are gone",
        projection=PINS,
        given=(MessagePinned(session_id=1, ref="m", reason="secret"), ERASED),
        select="SELECT ref, reason FROM pins",
        rows=[("m", None)],
    ),
    Spec(
        title="nothing of it is found by its words",
        projection=TIMELINE,
        given=(session(1, "Secret Plan"), session(2, "Other"), REQUESTED, ERASED),
        select="SELECT position, sealed, search LIKE '%secret%', summary FROM timeline ORDER BY position",
        rows=[
            (1, None, 0, "session 1 started (manual)"),
            (2, "other", 0, "session 2 started (manual)"),
            (3, None, 0, "session 1 is to be erased"),
            (4, None, 0, "session 1 erased: 2 messages"),
        ],
    ),
    Spec(
        title="it is not the active one any more",
        projection=WORKSPACE,
        given=(
            SessionActivated(session_id=1),
            REQUESTED,
            SessionActivated(session_id=2),
            REQUESTED,
        ),
        select="SELECT from_position, session_id FROM active_session ORDER BY 1",
        rows=[(1, 1), (2, None), (3, 2)],
    ),
)
