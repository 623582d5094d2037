"""Sessions that go on from an earlier moment of others."""

from projections.compaction import COMPACTION
from projections.masks import MASKS
from projections.pins import PINS
from projections.session_stats import SESSION_STATS
from projections.sessions import SESSIONS
from projections.timeline import TIMELINE
from schema.compaction import LeftOut, MessagePinned, PrefixEdit
from schema.context import ContentMasked
from schema.forking import CarriedContext, CarriedDecision, CarriedExchange, CarriedReplacement, SessionForked
from schema.moving import ExchangeReassigned
from tests.projections.building import (
    START_MS,
    compacted,
    completed,
    measured,
    refs,
    replaced_output,
    session,
    started,
    undone,
)
from tests.projections.spec import Spec

OUTPUT = replaced_output("long", after=20)
CARRIED = CarriedDecision(
    kind="compaction",
    number=5,
    copy_of=1,
    performed_at=77,
    decided_on=1,
    trigger_reason="manual",
    edit=PrefixEdit(cut=2, within="0" * 32, removed=((0, 2),), inserted=()),
    removed_refs=("a", "b"),
    summary_ref="digest",
    tokens_before=100,
    tokens_after=40,
    messages_before=6,
    messages_after=5,
    system_preserved=1,
    recent_preserved=2,
)
FORKED = SessionForked(
    session_id=2,
    source_id=1,
    at=3,
    exchange=CarriedExchange(exchange_id=1, received=refs("m1", tokens=10), envelope_ref="e1"),
    context=CarriedContext(reserved_tokens=9, compactions=1, tokens_saved=60),
    context_tokens=70,
    masks=(LeftOut(OUTPUT.hash, OUTPUT.ref, "bash", 100),),
    replaced=(CarriedReplacement("truncate", OUTPUT),),
    decisions=(CARRIED,),
    pins=("p", "q"),
    previews='["begins so"]',
    summaries='["shorter"]',
    pin_reasons='["why", null]',
)
SPECS = (
    Spec(
        title="a fork changes the new session only",
        projection=SESSIONS,
        given=(session(1), session(2, parent_id=1), FORKED),
        select="SELECT session_id, from_position, parent_id FROM session_versions ORDER BY 1, 2",
        rows=[(1, 1, None), (2, 2, 1), (2, 3, 1)],
    ),
    Spec(
        title="it holds what the other one held, and has used nothing",
        projection=SESSION_STATS,
        given=(started(1), completed(1, usage=measured(100, 20)), FORKED),
        select="SELECT total_requests, cumulative_total_tokens, context_tokens, context_exchange FROM session_stats"
        " WHERE session_id = 2",
        rows=[(0, 0, 70, 1)],
    ),
    Spec(
        title="it goes on with the same line of conversation",
        projection=SESSION_STATS,
        given=(
            *(started(1), completed(1, usage=measured(100, 20)), FORKED),
            started(2, 2, received=refs("m2", base=1, keep=1)),
            completed(2, 2, usage=measured(130, 5)),
        ),
        select="SELECT session_id, total_requests, context_tokens FROM session_stats"
        " WHERE position IN (2, 5) ORDER BY 1",
        rows=[(1, 1, 120), (2, 1, 135)],
    ),
    Spec(
        title="what comes to a fork from elsewhere does not take away what it goes on from",
        projection=SESSION_STATS,
        given=(
            *(started(1), completed(1, usage=measured(100, 20)), FORKED),
            *(started(3, 3), completed(3, 3, usage=measured(5, 5))),
            ExchangeReassigned(session_id=2, exchange_id=3, from_=3, to=2),
        ),
        select="SELECT total_requests, context_tokens FROM session_stats WHERE session_id = 2 AND position = 6",
        rows=[(1, 70)],
    ),
    Spec(
        title="what was compacted there is undone here by what it saved there",
        projection=SESSION_STATS,
        given=(
            *(started(1), completed(1, usage=measured(160, 40)), compacted(1), FORKED),
            undone(5, 2),
        ),
        select="SELECT session_id, context_tokens FROM session_stats WHERE position IN (3, 5) ORDER BY 1",
        rows=[(1, 80), (2, 190)],
    ),
    Spec(
        title="its settings and decisions are those of the other one, under numbers of their own",
        projection=COMPACTION,
        given=(compacted(1), FORKED, undone(5, 2)),
        select="SELECT d.number, d.position, d.session_id, d.timestamp, d.summary, d.copy_of, d.reverted_position,"
        " json_extract(s.state, '$.reserved_tokens'), json_extract(s.state, '$.tokens_saved')"
        " FROM prefix_decisions d JOIN context_states s ON s.session_id = d.session_id ORDER BY 1, s.position",
        rows=[
            (1, 1, 1, START_MS + 1000, "shorter", None, None, None, 60),
            (5, 2, 2, 77, "shorter", 1, 3, 9, 60),
            (5, 2, 2, 77, "shorter", 1, 3, 9, 0),
        ],
    ),
    Spec(
        title="what was masked can be had back here too, and is counted once",
        projection=MASKS,
        given=(ContentMasked(session_id=1, stage="truncate", output=OUTPUT, preview="begins so"), FORKED),
        select="SELECT m.session_id, m.position, m.preview, m.carried, r.stage FROM masks m"
        " JOIN replacements r USING (session_id) ORDER BY 1",
        rows=[(1, 1, "begins so", 0, "truncate"), (2, 2, "begins so", 1, "truncate")],
    ),
    Spec(
        title="what was pinned there is pinned here",
        projection=PINS,
        given=(MessagePinned(session_id=1, ref="p", reason="why"), FORKED),
        select="SELECT session_id, ref, from_position, reason FROM pins ORDER BY 1, 2",
        rows=[(1, "p", 1, "why"), (2, "p", 2, "why"), (2, "q", 2, None)],
    ),
    Spec(
        title="a fork is told in a line",
        projection=TIMELINE,
        given=(session(1), FORKED),
        select="SELECT summary FROM timeline WHERE position = 2",
        rows=[("session 2 goes on from session 1 as of event 3: about 70 tokens",)],
    ),
)
