"""Running totals of sessions."""

from projections.session_stats import SESSION_STATS
from schema.exchanges import Resolution, Usage
from tests.projections.building import (
    cancelled,
    compacted,
    completed,
    compressed,
    failed,
    interrupted,
    measured,
    refs,
    started,
    undone,
)
from tests.projections.spec import Spec

_COUNTS = "SELECT session_id, position, total_requests, counted_requests FROM session_stats ORDER BY position"
_CONTEXT = "SELECT position, context_tokens FROM session_stats ORDER BY position"

SPECS = (
    Spec(
        title="totals grow, the current ones are the last exchange's",
        projection=SESSION_STATS,
        given=(started(1), completed(1, usage=measured(100, 20)), started(2), completed(2, usage=measured(30, 5))),
        select="SELECT * FROM session_stats ORDER BY position",
        rows=[
            (1, 1, 1, 0, None, 0, 0, 0, 0, 0, 0, 0, None),
            (1, 2, 1, 1, 120, 100, 20, 120, 100, 20, 120, 120, 1),
            (1, 3, 2, 1, 120, 100, 20, 120, 100, 20, 120, 120, 1),
            (1, 4, 2, 2, 120, 30, 5, 35, 130, 25, 155, 120, 1),
        ],
    ),
    Spec(
        title="an end without known usage counts as a request only",
        projection=SESSION_STATS,
        given=(
            *(started(1), failed(1), started(2), cancelled(2, usage=Usage(source="estimated", prompt_tokens=7))),
            *(started(3), interrupted(3)),
        ),
        select=_COUNTS,
        rows=[(1, 1, 1, 0), (1, 3, 2, 0), (1, 4, 2, 1), (1, 5, 3, 1)],
    ),
    Spec(
        title="sessions do not mix",
        projection=SESSION_STATS,
        given=(started(1, 1), started(2, 2), completed(2, 2), completed(1, 1)),
        select=_COUNTS,
        rows=[(1, 1, 1, 0), (2, 2, 1, 0), (2, 3, 1, 1), (1, 4, 1, 1)],
    ),
    Spec(
        title="a continued chain replaces its own figure, a shorter one beside it does not show",
        projection=SESSION_STATS,
        given=(
            started(1, received=refs("system", "a")),
            completed(1, usage=measured(100, 20)),
            started(2, received=refs("b", base=1, keep=2)),
            completed(2, usage=measured(80, 10)),  # continues 1: its context shrank
            started(3, received=refs("title", base=2, keep=1)),  # shares the system prompt only
            completed(3, usage=measured(5, 1)),
        ),
        select=_CONTEXT,
        rows=[(1, 0), (2, 120), (3, 120), (4, 90), (5, 90), (6, 90)],
    ),
    Spec(
        title="a compaction takes from the context, its undoing gives back, and what comes later counts from there",
        projection=SESSION_STATS,
        given=(
            started(1),
            completed(1, usage=measured(100, 20)),
            compacted(1, decided_on=1),
            undone(1),
            compressed(2, decided_on=1, tokens_before=500, tokens_after=40),
        ),
        select=_CONTEXT,
        rows=[(1, 0), (2, 120), (3, 48), (4, 120), (5, 10)],  # as the provider counts: 1.2 times our estimate
    ),
    Spec(
        title="one decided on the way of its own exchange is counted with that",
        projection=SESSION_STATS,
        given=(compacted(1, decided_on=1), started(1), completed(1, usage=measured(40, 10)), undone(1)),
        select=_CONTEXT,
        rows=[(2, 0), (3, 50), (4, 110)],
    ),
    Spec(
        title="a fork takes the place of the line that it leaves, until that goes on",
        projection=SESSION_STATS,
        given=(
            started(1, received=refs("a")),
            completed(1, usage=measured(50, 0)),
            started(2, received=refs("b", base=1, keep=1), resolution=Resolution(rule="hash_chain", branch="fork")),
            completed(2, usage=measured(20, 0)),
        ),
        select=_CONTEXT,
        rows=[(1, 0), (2, 50), (3, 50), (4, 20)],
    ),
    Spec(
        title="a client that compacted its history begins anew",
        projection=SESSION_STATS,
        given=(
            started(1, received=refs("a", "b")),
            completed(1, usage=measured(900, 0)),
            started(2, received=refs("c"), resolution=Resolution(rule="hash_chain", branch="client_compaction")),
            completed(2, usage=measured(40, 0)),
        ),
        select=_CONTEXT,
        rows=[(1, 0), (2, 900), (3, 900), (4, 40)],
    ),
)
