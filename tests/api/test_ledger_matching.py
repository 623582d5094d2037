"""What went through the proxy and stands in a ledger too is counted once."""

import time
from pathlib import Path
from typing import Any

import pytest

from schema.ledgers import LedgerImported, TaskUsageImported
from tests.api.house import House
from tests.api.ledger_files import history, item
from tests.projections.building import completed, measured, started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


async def exchange(house: House, number: int, prompt: int, completion: int, session: int = 1) -> None:
    family = {"client_family": "openai-node", "model_sent": "gpt-5", "model_requested": "gpt-5"}
    begun, used = started(number, session, **family), measured(prompt, completion)
    await house.record(begun, completed(number, session, usage=used))


def now() -> int:
    return time.time_ns() // 1_000_000


def task(began: int, tokens_in: int, tokens_out: int) -> dict[str, Any]:
    numbers = {"tokensIn": tokens_in, "tokensOut": tokens_out, "cacheReads": 0, "cacheWrites": 0, "totalCost": 1.0}
    return {**item(1), "id": str(began), "ts": now() + 1, **numbers}


async def import_all(house: House) -> Any:
    return (await house.client.post("/api/ledgers/import")).json()


async def sums(house: House, query: str = "") -> Any:
    (totals,) = (await house.client.get(f"/api/ledgers{query}")).json()["tools"]
    return totals


async def test_a_task_that_went_through_counts_for_nothing(house: House, home: Path) -> None:
    began = now() - 1
    await exchange(house, 1, 100, 10)
    await exchange(house, 2, 200, 20)
    history(home, [task(began, 302, 30), {**task(began + 5_000_000, 7, 7), "ts": began + 5_000_001}])
    assert (await import_all(house))["imported_count"] == 2
    totals = await sums(house)
    assert (totals["tasks"], totals["matched_tasks"]) == (2, 1)
    assert totals["imported"] == {"tokens_in": 309, "tokens_out": 37, "cost": 2}
    assert totals["matched"] == {"tokens_in": 302, "tokens_out": 30, "cost": 1}
    assert totals["counted"] == {"tokens_in": 7, "tokens_out": 7, "cost": 1}
    assert totals["wire"] == {"tokens_in": 300, "tokens_out": 30, "cost": None}
    assert totals["difference"] == {"tokens_in": 2, "tokens_out": 0, "cost": None}
    (matched,) = (await house.client.get("/api/ledgers/usage?matched=true")).json()["items"]
    assert matched["match"] == {
        "rule": "task", "exchanges": 2, "calls": 2, "tokens_in": 302, "tokens_out": 30, "wire_tokens_in": 300,
        "wire_tokens_out": 30, "difference_in": 2, "difference_out": 0,
    }  # fmt: skip
    assert (matched["counted_in"], matched["counted_out"]) == (0, 0)


async def test_a_known_cost_that_went_through_says_nothing_of_the_rest(house: House, home: Path) -> None:
    began = now() - 1
    await exchange(house, 1, 100, 10)
    other = {**task(began + 5_000_000, 7, 7), "ts": began + 5_000_001, "totalCost": None}
    history(home, [task(began, 100, 10), other])
    await import_all(house)
    totals = await sums(house)
    assert [totals[part]["cost"] for part in ("imported", "matched", "counted")] == [1, 1, None]


async def test_usage_has_the_rest_of_it_beside_what_went_through(house: House, home: Path) -> None:
    """One task went through the proxy but for half of it, another one did not."""
    began = now() - 1
    await exchange(house, 1, 100, 10)
    history(home, [task(began, 200, 20), {**task(began + 5_000_000, 7, 8), "ts": began + 5_000_001}])
    before = len(house.events())
    await import_all(house)

    async def usage(query: str = "") -> Any:
        return (await house.client.get(f"/api/usage{query}")).json()

    found = await usage("?group_by=client_family")
    sources = found["totals"]["sources"]
    assert [sources[name]["input_tokens"] for name in ("measured", "imported")] == [100, 107]
    assert [sources[name]["output_tokens"] for name in ("measured", "imported")] == [10, 18]
    assert (found["totals"]["input_tokens"], found["totals"]["output_tokens"]) == (207, 28)
    assert {each["key"]: each["input_tokens"] for each in found["groups"]} == {"openai-node": 100, "cline": 107}
    assert sources["imported"]["cost_usd"] == 1.5  # of what did not go through; the wire has no price here
    days = (await usage("?group_by=day"))["groups"]
    assert sum(day["input_tokens"] for day in days) == 207  # the other task may be of tomorrow
    assert (await usage("?client_family=cline"))["totals"]["input_tokens"] == 107
    assert (await usage(f"?at={before}"))["totals"]["input_tokens"] == 100
    await import_all(house)
    assert (await usage())["totals"] == found["totals"]


async def test_the_evidence_is_in_the_event_and_the_same_each_time(house: House, home: Path) -> None:
    began = now() - 1
    await exchange(house, 1, 100, 10)
    history(home, [task(began, 100, 10)])
    await import_all(house)
    head = len(house.events())
    event = house.events()[-2].event
    assert isinstance(event, TaskUsageImported) and event.match is not None
    assert event.match.exchange_ids == (1,)
    assert (await import_all(house))["imported_count"] == 0
    assert len(house.events()) == head


async def test_an_exchange_is_one_task(house: House, home: Path) -> None:
    """Two tasks of the same numbers, and one exchange."""
    began = now() - 1
    await exchange(house, 1, 100, 10)
    history(home, [task(began, 100, 10), task(began - 1, 100, 10)])
    await import_all(house)
    totals = await sums(house)
    assert (totals["matched_tasks"], totals["counted"]["tokens_in"]) == (1, 100)
    assert (await import_all(house))["imported_count"] == 0


async def test_a_task_that_goes_on_through_the_proxy(house: House, home: Path) -> None:
    began = now() - 1
    history(home, [task(began, 50, 5)])
    await import_all(house)
    first = len(house.events())
    await exchange(house, 1, 100, 10)
    history(home, [task(began, 150, 15)])
    await import_all(house)
    totals = await sums(house)
    assert (totals["imported"]["tokens_in"], totals["counted"]["tokens_in"], totals["counted"]["cost"]) == (
        150, 50, pytest.approx(1 / 3, abs=1e-6),
    )  # fmt: skip
    assert (await sums(house, f"?at={first}"))["counted"]["tokens_in"] == 50
    assert isinstance(house.events()[-1].event, LedgerImported)


async def test_what_is_made_anew_is_the_same(house: House, home: Path) -> None:
    began = now() - 1
    await exchange(house, 1, 100, 10)
    history(home, [task(began, 100, 10), item(3)])
    await import_all(house)
    before = await sums(house), (await house.client.get("/api/ledgers/usage")).json()
    rebuilt = await house.client.post("/api/projections/rebuild", json={"wait": True})
    assert rebuilt.json()["equal"] is True
    assert (await sums(house), (await house.client.get("/api/ledgers/usage")).json()) == before
