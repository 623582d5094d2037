"""Counts that no provider can mean, as a log may hold them: the tables go on, and so does what reads them."""

from hypothesis import given
from hypothesis import strategies as st

from projections.bounds import LARGEST, exact_sums, whole_sums
from projections.catalogue import PROJECTIONS
from projections.exchanges import get_exchange
from projections.ledger_rows import ledger_totals
from projections.pricing import MOST
from projections.session_costs import costs_so_far, session_cost
from projections.session_stats import session_stats
from projections.usage import usage, wire_usage
from projections.usage_entries import Asked
from schema.exchanges import Usage
from schema.ledgers import TaskUsageImported
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.registry import Event
from tests.projections.building import apply, completed, memory, record, session, started

_HUGE = 2**53 - 1
_USED = Usage(source="measured", prompt_tokens=_HUGE, completion_tokens=_HUGE, total_tokens=2 * _HUGE)
_DEAREST = PriceBookAdopted(content=(PriceRow(model="echo", input=10**12, output=10**12),), hash="a" * 64)


def _answers(first: int, last: int, session_id: int = 1) -> list[Event]:
    numbers = range(first, last + 1)
    return [each for n in numbers for each in (started(n, session_id), completed(n, session_id, _USED))]


def test_an_answer_of_absurd_counts_at_an_absurd_price_stops_nothing() -> None:
    db = memory()
    events = [session(1), _DEAREST, *_answers(1, 14), RepricedFrom(book="a" * 64, from_=1)]
    apply(db, PROJECTIONS, record(events))
    at = len(events)
    exchange = get_exchange(db, 14, at=at)
    assert exchange is not None and exchange.cost == MOST
    (entry,) = wire_usage(db, Asked(), at=at)
    assert (entry.completed, entry.input, entry.cost) == (14, 14 * _HUGE, 14 * MOST)
    assert session_cost(db, 1, at=at) == max(costs_so_far(db, 1, at=at).values()) == 14 * MOST
    db.close()


def test_sums_end_at_the_largest_number_that_a_table_holds() -> None:
    db = memory()
    moves = [
        ExchangeReassigned(session_id=2, exchange_id=1, from_=1, to=2),
        SessionsMerged(session_id=2, target_id=2, source_ids=(1,), exchanges_moved=1_099),
    ]
    events = [session(1), session(2), _DEAREST, *_answers(1, 1_100), *_answers(1_101, 2_200, 3), *moves]
    apply(db, PROJECTIONS, record(events))
    at = len(events)
    (entry,) = wire_usage(db, Asked(), at=at)
    assert (entry.completed, entry.input, entry.output, entry.cost) == (2_200, LARGEST, LARGEST, LARGEST)
    assert session_cost(db, 3, at=at) == max(costs_so_far(db, 3, at=at).values()) == LARGEST
    assert session_stats(db, 3, at=at).cumulative_total_tokens == LARGEST
    db.close()


def test_what_ledgers_say_is_added_as_far_as_it_goes() -> None:
    db = memory()
    tasks = [TaskUsageImported(tool="aider", task_id=str(n), ledger="l", ts=1, tokens_in=2**62) for n in range(3)]
    apply(db, PROJECTIONS, record(tasks))
    (totals,) = ledger_totals(db, at=3)
    assert (totals.tasks, totals.tokens_in, totals.counted_in, totals.latest_ts) == (3, LARGEST, LARGEST, 1)
    assert sum(entry.input for entry in usage(db, Asked(), at=3)) == 3 * 2**62
    db.close()


@given(st.lists(st.integers(-(2**62), 2**62)))
def test_sums_are_exact_up_to_there(numbers: list[int]) -> None:
    db = memory()
    db.execute("CREATE TABLE numbers(n INTEGER NOT NULL) STRICT")
    db.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in numbers])
    (found,) = whole_sums(db.execute(f"SELECT {exact_sums(['n'])} FROM numbers").fetchone())
    assert found == max(min(sum(numbers), LARGEST), -LARGEST)
    db.close()
