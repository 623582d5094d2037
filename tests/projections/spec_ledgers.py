"""What was imported from ledgers."""

import base64

import msgspec

from projections.ledgers import LEDGERS
from projections.timeline import TIMELINE
from schema.ledgers import LedgerImported, TaskUsageImported, WireMatch
from tests.projections.building import START_MS
from tests.projections.spec import Spec

FIRST = TaskUsageImported(tool="cline", task_id="t", ledger="~/a", ts=5, tokens_in=10, tokens_out=2, total_cost=0.1)
MATCH = WireMatch(rule="task", exchange_ids=(1, 2), tokens_in=20, tokens_out=4, wire_tokens_in=19, wire_tokens_out=4)
LATER = TaskUsageImported(
    tool="cline", task_id="t", ledger="~/a", ts=6, tokens_in=20, tokens_out=4, total_cost=0.2, match=MATCH
)
IMPORTED = LedgerImported(
    ledger="~/a", tool="cline", kind="cline_history", rows=1, skipped=0, errors=1, latest_ts=5, problems=("why",)
)

ANSWERS = msgspec.structs.replace(FIRST, answers=base64.b64encode(b"answer" + b"second").decode())
COPIES = msgspec.structs.replace(LATER, task_id="copy", answers=base64.b64encode(b"answer" + b"third!").decode())

SPECS = (
    Spec(
        title="an answer is of the task that held it first",
        projection=LEDGERS,
        given=(ANSWERS, COPIES, msgspec.structs.replace(FIRST, answers="no digests!")),
        select="SELECT * FROM ledger_answers ORDER BY answer",
        rows=[("cline", b"answer", 1, "t"), ("cline", b"second", 1, "t"), ("cline", b"third!", 2, "copy")],
    ),
    Spec(
        title="tasks are versions",
        projection=LEDGERS,
        given=(FIRST, IMPORTED, LATER),
        select="SELECT task_id, from_position, to_position, imported_at, tokens_in, cost_micro_usd, matched_in,"
        " wire_in, exchanges FROM ledger_tasks ORDER BY from_position",
        rows=[
            ("t", 1, 3, START_MS + 1000, 10, 100_000, 0, 0, 0),
            ("t", 3, None, START_MS + 3000, 20, 200_000, 20, 19, 2),
        ],
    ),
    Spec(
        title="exchanges that are the same requests are known while the task says so",
        projection=LEDGERS,
        given=(LATER, FIRST),
        select="SELECT exchange_id, from_position, to_position, tool, task_id FROM ledger_matches",
        rows=[(1, 1, 2, "cline", "t"), (2, 1, 2, "cline", "t")],
    ),
    Spec(
        title="what was read of a ledger",
        projection=LEDGERS,
        given=(IMPORTED,),
        select="SELECT * FROM ledger_imports",
        rows=[("~/a", 1, START_MS + 1000, "cline", "cline_history", 1, 0, 1, 5, '["why"]')],
    ),
    Spec(
        title="lines of imports",
        projection=TIMELINE,
        given=(FIRST, IMPORTED),
        select="SELECT summary FROM timeline ORDER BY position",
        rows=[
            ("10 tokens in and 2 out of cline task t imported",),
            ("1 tasks of cline imported, 1 errors",),
        ],
    ),
)
