"""What was imported, asked at every position, is what a plain fold of the events up to there says."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from projections.exchanges import EXCHANGES
from projections.imported_parts import micro_usd
from projections.imported_usage import imported_usage
from projections.ledger_rows import (
    claims,
    get_task,
    last_imports,
    latest_use,
    ledger_totals,
    list_tasks,
    task_count,
)
from projections.ledgers import LEDGERS
from projections.usage_entries import Asked
from schema.ledgers import LedgerImported, TaskUsageImported, Tool, WireMatch
from schema.recorded import Recorded
from schema.registry import Event
from tests.projections.building import apply, memory, record
from tests.projections.histories import tried

_TOOLS: st.SearchStrategy[Tool] = st.sampled_from(["cline", "codex"])


@st.composite
def _tasks(draw: st.DrawFn) -> TaskUsageImported:
    taken, made = draw(st.integers(0, 900)), draw(st.integers(0, 90))
    match = None
    if draw(st.booleans()):
        match = WireMatch(
            rule="task",
            exchange_ids=tuple(draw(st.lists(st.integers(1, 5), max_size=3))),
            tokens_in=draw(st.integers(0, taken)),
            tokens_out=draw(st.integers(0, made)),
            total_cost=draw(st.sampled_from([None, 0.0])),
            wire_tokens_in=draw(st.integers(0, 900)),
            wire_tokens_out=draw(st.integers(0, 90)),
        )
    return TaskUsageImported(
        tool=draw(_TOOLS),
        task_id=draw(st.sampled_from("abc")),
        ledger="~/x",
        ts=draw(st.integers(0, 9)),
        tokens_in=taken,
        tokens_out=made,
        total_cost=draw(st.sampled_from([None, 0.0, 0.1, 0.0000014])),
        overlaps=draw(st.booleans()),
        match=match,
    )


_imports = st.builds(
    LedgerImported,
    ledger=st.sampled_from(["~/x", "~/y"]),
    tool=_TOOLS,
    kind=st.just("k"),
    rows=st.integers(0, 9),
    skipped=st.integers(0, 9),
    errors=st.integers(0, 9),
    problems=st.sampled_from([(), ("why",)]),
)
_histories = st.lists(_tasks() | _imports, max_size=25).map(record)


def _known(events: Sequence[Recorded]) -> dict[tuple[str, str], TaskUsageImported]:
    return {(each.tool, each.task_id): each for each in _of(events) if isinstance(each, TaskUsageImported)}


def _of(events: Sequence[Recorded]) -> list[Event]:
    return [recorded.event for recorded in events]


def _counted(task: TaskUsageImported) -> tuple[int, int]:
    if task.overlaps:
        return 0, 0
    matched = (task.match.tokens_in, task.match.tokens_out) if task.match else (0, 0)
    return task.tokens_in - matched[0], task.tokens_out - matched[1]


@tried
@given(_histories)
def test_at_every_position(events: list[Recorded]) -> None:
    db = memory()
    try:
        assert all(progress.error is None for progress in apply(db, [EXCHANGES, LEDGERS], events))
        for at in range(len(events) + 1):
            known = _known(events[:at])
            page = list_tasks(db, at=at, limit=100, offset=0)
            wanted = sorted(known.values(), key=lambda task: (-task.ts, task.tool, task.task_id))
            assert [(row.tool, row.task_id, row.tokens_in) for row in page.rows] == [
                (task.tool, task.task_id, task.tokens_in) for task in wanted
            ]
            assert page.total == len(known)
            matched = list_tasks(db, at=at, tools=("cline",), matched=True, limit=1, offset=0)
            assert matched.total == sum(tool == "cline" and task.match is not None for (tool, _), task in known.items())
            for (_, task_id), task in known.items():
                row = get_task(db, task.tool, task_id, at=at)
                assert row is not None and (row.total_cost, row.cost_micro_usd) == (
                    task.total_cost, micro_usd(task.total_cost),
                )  # fmt: skip
            for totals in ledger_totals(db, at=at):
                own = [task for (tool, _), task in known.items() if tool == totals.tool]
                counted = [_counted(task) for task in own]
                assert (totals.tasks, totals.tokens_in) == (len(own), sum(task.tokens_in for task in own))
                assert (totals.counted_in, totals.counted_out) == (
                    sum(taken for taken, _ in counted), sum(made for _, made in counted),
                )  # fmt: skip
                assert totals.cost_micro_usd == sum(micro_usd(task.total_cost) or 0 for task in own)
                assert latest_use(db, totals.tool, at=at) == totals.latest_ts == max(task.ts for task in own)
                assert task_count(db, totals.tool, at=at) == len(own)
            entries = imported_usage(db, Asked(), at=at)
            every = [_counted(task) for task in known.values()]
            assert (sum(entry.input for entry in entries), sum(entry.output for entry in entries)) == (
                sum(taken for taken, _ in every), sum(made for _, made in every),
            )  # fmt: skip
            claimed = {(number, key) for number, keys in claims(db, 1, 5, at=at).items() for key in keys}
            assert claimed == {
                (number, key) for key, task in known.items() if task.match for number in task.match.exchange_ids
            }
            imports = {each.ledger: each for each in _of(events[:at]) if isinstance(each, LedgerImported)}
            assert {row.ledger: (row.rows, row.problems) for row in last_imports(db, at=at)} == {
                name: (each.rows, each.problems) for name, each in imports.items()
            }
    finally:
        db.close()
