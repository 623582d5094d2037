"""What belongs to another session from here on."""

from projections.compaction import COMPACTION
from projections.exchanges import EXCHANGES
from projections.pins import PINS
from projections.session_stats import SESSION_STATS
from projections.sessions import SESSIONS
from projections.timeline import TIMELINE
from schema.compaction import MessagePinned
from schema.moving import ExchangeReassigned, SessionsMerged
from tests.projections.building import compacted, completed, measured, session, started
from tests.projections.spec import Spec

MOVED = ExchangeReassigned(session_id=2, exchange_id=1, from_=1, to=2, preview="again", error_message=None)
MERGED = SessionsMerged(session_id=2, target_id=2, source_ids=(1,), exchanges_moved=2)

SPECS = (
    Spec(
        title="an exchange has a new home, and the texts that are sealed for it",
        projection=EXCHANGES,
        given=(started(1, 1, preview="first"), started(2, 1), MOVED),
        select="SELECT e.exchange_id, e.session_id, h.session_id, h.position, e.preview FROM exchanges e"
        " LEFT JOIN exchange_homes h USING (exchange_id) ORDER BY 1",
        rows=[(1, 1, 2, 3, "again"), (2, 1, None, None, None)],
    ),
    Spec(
        title="all of a part has its home in the whole, but what was moved away before",
        projection=EXCHANGES,
        given=(
            *(started(1, 1), started(2, 1), started(3, 3)),
            ExchangeReassigned(session_id=3, exchange_id=1, from_=1, to=3),
            ExchangeReassigned(session_id=1, exchange_id=3, from_=3, to=1),
            MERGED,
        ),
        select="SELECT exchange_id, position, session_id, origin FROM exchange_homes ORDER BY 2, 1",
        rows=[(1, 4, 3, 1), (3, 5, 1, 3), (2, 6, 2, 1), (3, 6, 2, 3)],
    ),
    Spec(
        title="totals follow",
        projection=SESSION_STATS,
        given=(
            *(started(1, 1), completed(1, 1, usage=measured(100, 20))),
            *(started(2, 1), completed(2, 1, usage=measured(30, 5))),
            *(started(3, 2), completed(3, 2, usage=measured(7, 3))),
            MOVED,
        ),
        select="SELECT session_id, total_requests, counted_requests, max_tokens, current_total_tokens,"
        " cumulative_input_tokens, cumulative_total_tokens, context_tokens FROM session_stats WHERE position = 7"
        " ORDER BY 1",
        rows=[(1, 1, 1, 35, 35, 30, 35, 35), (2, 2, 2, 120, 10, 107, 130, 120)],
    ),
    Spec(
        title="totals of a part become those of the whole",
        projection=SESSION_STATS,
        given=(started(1, 1), completed(1, 1, usage=measured(100, 20)), started(3, 2), MERGED),
        select="SELECT session_id, total_requests, counted_requests, cumulative_total_tokens FROM session_stats"
        " WHERE position = 4",
        rows=[(2, 2, 1, 120)],
    ),
    Spec(
        title="a part leaves the lists and says what it became a part of",
        projection=SESSIONS,
        given=(session(1), session(2), MERGED, MOVED),
        select="SELECT session_id, from_position, deleted, merged_into FROM session_versions ORDER BY 1, 2",
        rows=[(1, 1, 0, None), (1, 3, 1, 2), (2, 2, 0, None), (2, 3, 0, None), (2, 4, 0, None)],
    ),
    Spec(
        title="compactions are counted together",
        projection=COMPACTION,
        given=(compacted(1, 1), compacted(2, 2, tokens_after=90), MERGED),
        select="SELECT session_id, position, json_extract(state, '$.compactions'),"
        " json_extract(state, '$.tokens_saved') FROM context_states ORDER BY position",
        rows=[(1, 1, 1, 60), (2, 2, 1, 10), (2, 3, 2, 70)],
    ),
    Spec(
        title="what is pinned in a part is pinned in the whole",
        projection=PINS,
        given=(
            *(MessagePinned(session_id=1, ref="a", reason="why"), MessagePinned(session_id=1, ref="b")),
            *(MessagePinned(session_id=2, ref="b"), MERGED),
        ),
        select="SELECT session_id, ref, from_position, reason FROM pins WHERE session_id = 2 ORDER BY ref",
        rows=[(2, "a", 4, "why"), (2, "b", 3, None)],
    ),
    Spec(
        title="it is told in a line",
        projection=TIMELINE,
        given=(started(1, 1), MOVED, MERGED),
        select="SELECT summary FROM timeline WHERE position > 1 ORDER BY position",
        rows=[("exchange 1 moved from session 1 to session 2",), ("session 2 took in 1: 2 exchanges",)],
    ),
)
