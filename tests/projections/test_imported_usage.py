"""What imported tasks count for: by hour and model, and what that cost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from projections.exchanges import EXCHANGES
from projections.imported_usage import imported_usage
from projections.ledgers import LEDGERS
from projections.usage_entries import HOUR_MS, Asked, Entry
from schema.ledgers import HourUsage, ModelUsage, TaskUsageImported, WireMatch
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.registry import Event
from tests.projections.building import apply, memory, record

DAY_20, DAY_22 = 20_777, 20_779  # since the epoch
BY_DAY, BY_MODEL = Asked(group_by="day"), Asked(group_by="model")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(memory()) as found:
        yield found


def ms(day: int, hour: int = 0) -> int:
    return (day * 24 + hour) * HOUR_MS + 5


def hour(day: int, model: str | None, taken: int, made: int, **fields: Any) -> HourUsage:
    return HourUsage(hour=day * 24, model_id=model, tokens_in=taken, tokens_out=made, **fields)


def task(*hours: HourUsage, **fields: Any) -> TaskUsageImported:
    given: dict[str, Any] = {
        "ts": ms(DAY_22),
        "model_id": "opus",
        "tokens_in": sum(each.tokens_in for each in hours),
        "tokens_out": sum(each.tokens_out for each in hours),
        "cache_read_tokens": sum(each.cache_read_tokens for each in hours),
        "cache_write_tokens": sum(each.cache_write_tokens for each in hours),
        **fields,
    }
    return TaskUsageImported(tool="claude_code", task_id="t", ledger="~/a", hours=hours, **given)


def sums(day: int, taken: int, made: int, **fields: Any) -> TaskUsageImported:
    """Of a ledger that knows no single requests."""
    given: dict[str, Any] = {"model_id": "gpt", "calls": None, **fields}
    return TaskUsageImported(
        tool="cline", task_id="t", ledger="~/a", ts=ms(day), tokens_in=taken, tokens_out=made, **given
    )


def book(digest: str, *rows: PriceRow) -> PriceBookAdopted:
    return PriceBookAdopted(content=rows, hash=digest * 64)


def found(db: sqlite3.Connection, asked: Asked, at: int = 1_000) -> dict[str, tuple[int, int]]:
    totals: dict[str, tuple[int, int]] = {}
    for entry in imported_usage(db, asked, at=at):
        taken, made = totals.get(entry.key, (0, 0))
        totals[entry.key] = taken + entry.input, made + entry.output
    return totals


def folded(db: sqlite3.Connection, *events: Event) -> None:
    assert all(progress.error is None for progress in apply(db, [EXCHANGES, LEDGERS], record(events)))


def costs(db: sqlite3.Connection, at: int = 1_000) -> list[tuple[int, int, int, int]]:
    entries: list[Entry] = imported_usage(db, Asked(), at=at)
    return sorted((each.cost, each.priced, each.unpriced, each.client_cost) for each in entries)


def test_a_task_lies_on_its_days_and_models(db: sqlite3.Connection) -> None:
    folded(db, task(hour(DAY_20, "opus", 1_000, 100), hour(DAY_22, "haiku", 2_000, 200)))
    assert found(db, BY_DAY) == {str(DAY_20): (1_000, 100), str(DAY_22): (2_000, 200)}
    assert found(db, BY_MODEL) == {"claude_code/opus": (1_000, 100), "claude_code/haiku": (2_000, 200)}
    assert found(db, Asked(from_hour=DAY_20 * 24, to_hour=DAY_20 * 24 + 23)) == {"": (1_000, 100)}
    assert found(db, Asked(model="haiku")) == {"": (2_000, 200)}


def test_models_of_an_event_without_hours(db: sqlite3.Connection) -> None:
    models = (ModelUsage(model_id="a", tokens_in=30, tokens_out=3), ModelUsage(model_id="b", tokens_in=10))
    folded(db, sums(DAY_20, 40, 3, models=models, calls=4, reasoning_tokens=2))
    assert found(db, BY_MODEL) == {"cline/a": (30, 3), "cline/b": (10, 0)}
    assert sum(entry.completed for entry in imported_usage(db, Asked(), at=9)) == 4
    assert sum(entry.reasoning for entry in imported_usage(db, Asked(), at=9)) == 2


def test_models_that_do_not_add_up_say_nothing(db: sqlite3.Connection) -> None:
    folded(db, sums(DAY_20, 40, 3, models=(ModelUsage(model_id="a", tokens_in=1),)))
    assert found(db, BY_MODEL) == {"cline/gpt": (40, 3)}


def test_what_a_task_had_used_stays_on_its_day(db: sqlite3.Connection) -> None:
    folded(db, sums(DAY_20, 100, 10), sums(DAY_22, 150, 11, model_id="later"), sums(DAY_22, 160, 11, model_id="later"))
    assert found(db, BY_DAY, 1) == {str(DAY_20): (100, 10)}
    assert found(db, BY_DAY, 2) == {str(DAY_20): (100, 10), str(DAY_22): (50, 1)}
    assert found(db, BY_DAY) == {str(DAY_20): (100, 10), str(DAY_22): (60, 1)}
    assert found(db, BY_MODEL) == {"cline/gpt": (100, 10), "cline/later": (60, 1)}


def test_a_task_that_became_less_is_as_it_is_now(db: sqlite3.Connection) -> None:
    folded(db, sums(DAY_20, 100, 10), sums(DAY_22, 90, 11))
    assert found(db, BY_DAY) == {str(DAY_22): (90, 11)}


def test_what_went_through_the_proxy_is_not_in_its_hour(db: sqlite3.Connection) -> None:
    match = WireMatch(
        rule="calls", exchange_ids=(1,), calls=1, tokens_in=900, tokens_out=90, wire_tokens_in=900, wire_tokens_out=90,
        cache_read_tokens=0, cache_write_tokens=0, hours=(hour(DAY_20, "opus", 900, 90),),
    )  # fmt: skip
    folded(db, task(hour(DAY_20, "opus", 1_000, 100, calls=2), hour(DAY_22, "opus", 50, 5), match=match))
    assert found(db, BY_DAY) == {str(DAY_20): (100, 10), str(DAY_22): (50, 5)}


def test_the_rest_of_a_part_is_counted_as_the_ledger_counts(db: sqlite3.Connection) -> None:
    """Cached tokens stand beside the prompt, and went through the proxy all of them."""
    match = WireMatch(
        rule="part", exchange_ids=(1,), tokens_in=9_500, tokens_out=100, wire_tokens_in=9_500, wire_tokens_out=100,
        cache_read_tokens=1_500, cache_write_tokens=0,
    )  # fmt: skip
    folded(db, sums(DAY_22, 14_500, 300, cache_read_tokens=1_500, match=match))
    (entry,) = imported_usage(db, Asked(), at=9)
    assert (entry.input, entry.output, entry.cached) == (5_000, 200, 0)


OPUS = PriceRow(model="opus", input=15_000_000, output=75_000_000, cache_read=1_500_000)


def test_the_book_has_prices_for_what_clients_know_no_cost_of(db: sqlite3.Connection) -> None:
    hours = hour(DAY_20, "opus", 100, 10, cache_read_tokens=1_000), hour(DAY_22, "other", 1, 1)
    own = hour(DAY_22, "opus", 7, 7, total_cost=0.5, calls=2)
    folded(db, book("a", OPUS), task(*hours, own))
    assert costs(db) == [(0, 0, 1, 0), (100 * 15 + 10 * 75 + 1_500, 1, 0, 0), (500_000, 2, 0, 500_000)]


def test_a_book_holds_for_what_is_imported_after_it(db: sqlite3.Connection) -> None:
    first, later = hour(DAY_20, "opus", 100, 0), hour(DAY_22, "opus", 10, 0)
    cheaper = book("b", PriceRow(model="opus", input=1_000_000))
    folded(db, book("a", OPUS), task(first), cheaper, task(first, later), RepricedFrom(book="b" * 64, from_=1))
    assert costs(db, 2) == costs(db, 3) == [(1_500, 1, 0, 0)]
    assert costs(db, 4) == [(10, 1, 0, 0), (1_500, 1, 0, 0)]
    assert costs(db, 5) == [(10, 1, 0, 0), (100, 1, 0, 0)]


def test_repricing_holds_from_its_position_on(db: sqlite3.Connection) -> None:
    events = task(hour(DAY_20, "opus", 100, 0)), book("a", OPUS), RepricedFrom(book="a" * 64, from_=2)
    folded(db, *events, RepricedFrom(book="a" * 64, from_=1))
    assert costs(db, 2) == costs(db, 3) == [(0, 0, 1, 0)]
    assert costs(db, 4) == [(1_500, 1, 0, 0)]


@pytest.mark.parametrize("name", ["opus", "acme/opus", "opus-20250805", "acme/opus-2025-08-05", "opus@20250805"])
def test_names_as_clients_write_them(db: sqlite3.Connection, name: str) -> None:
    folded(db, book("a", OPUS), task(hour(DAY_20, name, 100, 0)))
    assert costs(db) == [(1_500, 1, 0, 0)]


def test_the_only_provider_that_has_a_model(db: sqlite3.Connection) -> None:
    ours = PriceRow(model="opus", provider="ours", input=2_000_000)
    theirs = PriceRow(model="opus", provider="theirs", input=3_000_000)
    unknown, known = task(hour(DAY_20, "opus", 101, 0)), task(hour(DAY_20, "opus", 102, 0), provider="theirs")
    folded(db, book("a", ours), task(hour(DAY_20, "opus", 100, 0)), book("b", ours, theirs), unknown, known)
    assert [costs(db, at) for at in (2, 4, 5)] == [[(200, 1, 0, 0)], [(0, 0, 1, 0)], [(306, 1, 0, 0)]]


def test_long_requests_go_by_their_mean(db: sqlite3.Connection) -> None:
    long = PriceRow(model="opus", input=30_000_000, above=1_000)
    one, many = hour(DAY_20, "opus", 2_000, 0), hour(DAY_22, "opus", 2_000, 0, calls=4)
    folded(db, book("a", OPUS, long), task(one, many))
    assert costs(db) == [(30_000, 4, 0, 0), (60_000, 1, 0, 0)]
