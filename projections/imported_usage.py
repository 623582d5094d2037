"""What clients wrote in ledgers of their own, as entries of usage: only what did not go through this proxy."""

import sqlite3

from projections.import_prices import import_cost
from projections.ledger_rows import PartRow, parts_between
from projections.prices import pricing
from projections.pricing import Pricing
from projections.usage_entries import HOURS_OF_A_DAY, Asked, Entry


def imported_usage(db: sqlite3.Connection, asked: Asked, *, at: int) -> list[Entry]:
    """An entry for what a task took of a model in an hour. A task belongs to no session of ours; its client family is
    the tool, its exchanges are the calls that it says it made (one, where it does not say)."""
    if asked.sessions is not None:
        return []
    found = parts_between(db, at=at, from_hour=asked.from_hour, to_hour=asked.to_hour)
    prices = pricing(db, at=at)
    return [_entry(part, prices, asked) for part in found if _wanted(part, asked)]


def _wanted(part: PartRow, asked: Asked) -> bool:
    return (
        asked.provider in (None, part.provider or part.tool)
        and asked.wants_model(part.provider or part.tool, part.model)
        and asked.client_family in (None, part.tool)
    )


def _entry(part: PartRow, prices: Pricing, asked: Asked) -> Entry:
    """The client's own cost, where it says one; else that of the book in force when it was said first."""
    said = part.cost is not None
    cost = part.cost if said else import_cost(prices, part)
    return Entry(
        key=_key(part, asked),
        source="imported",
        completed=part.calls,
        input=part.input,
        output=part.output,
        cached=part.cached,
        cache_write=part.cache_write,
        reasoning=part.reasoning,
        cost=cost or 0,
        unpriced=part.calls if cost is None else 0,
        client_cost=part.cost or 0,
        client_priced=part.calls if said else 0,
    )


def _key(part: PartRow, asked: Asked) -> str:
    provider = part.provider or part.tool
    match asked.group_by:
        case "day":
            return str(part.hour // HOURS_OF_A_DAY)
        case "model":
            return f"{provider}/{part.model}"
        case "provider":
            return provider
        case "client_family":
            return part.tool
        case _:
            return ""
