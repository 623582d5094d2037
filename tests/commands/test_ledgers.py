"""Taking over what clients wrote down."""

from typing import Any

from commands.ledgers import ImportLedgers, Reading, decide, evolve, initial_state, row
from schema.ledgers import LedgerImported, TaskUsageImported
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given


def task(task_id: str = "1", ledger: str = "~/a", **fields: Any) -> TaskUsageImported:
    return TaskUsageImported(
        **{"tool": "cline", "task_id": task_id, "ledger": ledger, "ts": 5, "tokens_in": 9, **fields}
    )


def reading(*tasks: TaskUsageImported, ledger: str = "~/a", **fields: Any) -> Reading:
    return Reading(ledger=ledger, tool="cline", kind="cline_history", rows=tuple(map(row, tasks)), **fields)


def imported(rows: int, skipped: int = 0, errors: int = 0, ledger: str = "~/a", **fields: Any) -> LedgerImported:
    given: dict[str, Any] = {"latest_ts": 5, **fields}
    return LedgerImported(
        ledger=ledger, tool="cline", kind="cline_history", rows=rows, skipped=skipped, errors=errors, **given
    )


def test_each_task_is_taken_over_once() -> None:
    given().when(ImportLedgers((reading(task("1"), task("2")),))).then(task("1"), task("2"), imported(2))
    before = (task("1"), task("2"), imported(2))
    given(*before).when(ImportLedgers((reading(task("1"), task("2")),))).then_nothing()


def test_answers_are_told_of_once() -> None:
    told = task("1", answers="AAAAAAAA")
    given(told, imported(1)).when(ImportLedgers((reading(task("1")),))).then_nothing()


def test_what_changed_is_taken_over_anew() -> None:
    before = (task("1"), task("2"), imported(2))
    later = task("1", tokens_in=20, ts=7)
    given(*before).when(ImportLedgers((reading(later, task("2")),))).then(later, imported(1, 1, latest_ts=7))


def test_a_task_in_two_ledgers_is_that_of_the_later_use() -> None:
    before = (task("1"), imported(1))
    same = reading(task("1", "~/b"), ledger="~/b")
    given(*before).when(ImportLedgers((same,))).then(imported(0, 1, ledger="~/b"))
    later = task("1", "~/b", ts=8)
    command = ImportLedgers((reading(later, ledger="~/b"),))
    given(*before).when(command).then(later, imported(1, ledger="~/b", latest_ts=8))
    after = (*before, later, imported(1, ledger="~/b", latest_ts=8))
    given(*after).when(ImportLedgers((reading(task("1")), reading(later, ledger="~/b")))).then_nothing()


def test_the_same_task_twice_in_one_command() -> None:
    later = task("1", "~/b", ts=8)
    command = ImportLedgers((reading(task("1")), reading(later, ledger="~/b"), reading(task("1", "~/c"), ledger="~/c")))
    given().when(command).then(
        task("1"), imported(1), later, imported(1, ledger="~/b", latest_ts=8), imported(0, 1, ledger="~/c")
    )


def test_errors_are_told_of_once() -> None:
    broken = reading(task("1"), errors=2, problems=("why",), duplicates=1)
    first = imported(1, 1, 2, problems=("why",))
    given().when(ImportLedgers((broken,))).then(task("1"), first)
    given(task("1"), first).when(ImportLedgers((broken,))).then_nothing()
    mended = ImportLedgers((reading(task("1")),))
    given(task("1"), first).when(mended).then(imported(0, 1))


def test_a_ledger_that_is_gone_leaves_its_tasks() -> None:
    before = (task("1"), imported(1))
    gone = imported(0, latest_ts=None)
    given(*before).when(ImportLedgers((reading(),))).then(gone)
    given(*before, gone).when(ImportLedgers((reading(),))).then_nothing()


def test_a_long_reading_comes_in_parts() -> None:
    given().when(ImportLedgers((reading(task("1"), last=False),))).then(task("1"))
    last = ImportLedgers((reading(task("2", ts=3), before=1, taken_before=1, latest_before=5),))
    given(task("1")).when(last).then(task("2", ts=3), imported(2))
    given(task("1"), task("2", ts=3), imported(2)).when(
        ImportLedgers((reading(task("2", ts=3), before=1, latest_before=5),))
    ).then_nothing()
