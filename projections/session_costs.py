"""What a session has cost: in all, and after each of its exchanges."""

import sqlite3

from projections.bounds import bounded, exact_sums, whole_sums
from projections.homes import home_condition
from projections.prices import pricing
from projections.pricing import Consumption, Served

_EXCHANGES = (
    "SELECT finished_position, started_position, started_at, coalesce(last_provider, provider),"
    " coalesce(last_model, model_sent), service_tier, prompt_tokens,"
    " completion_tokens, coalesce(cached_tokens, 0), coalesce(cache_write_tokens, 0),"
    " coalesce(cache_write_1h_tokens, 0) FROM exchanges"
    " WHERE {condition} AND finished_position <= :at AND usage_source != 'none' ORDER BY finished_position"
)
_COST = (
    f"SELECT {exact_sums(('t.cost', 't.completed + t.failed + t.cancelled + t.interrupted - t.unpriced'))}"
    " FROM usage_keys k"
    " JOIN usage_totals t ON t.key = k.id AND t.position = (SELECT max(u.position) FROM usage_totals u"
    " WHERE u.key = k.id AND u.position <= :at) WHERE k.session_id = :session_id AND k.source != 'none'"
)


def session_cost(db: sqlite3.Connection, session_id: int, *, at: int) -> int | None:
    """Micro-dollars of all its exchanges that have a price; None where none has."""
    cost, priced = whole_sums(db.execute(_COST, {"session_id": session_id, "at": at}).fetchone())
    return cost if priced else None


def costs_so_far(db: sqlite3.Connection, session_id: int, *, at: int) -> dict[int, int]:
    """The same after each exchange with a price, by the position of its end, at the prices that hold as of `at`."""
    prices = pricing(db, at=at)
    if not prices:
        return {}
    condition = home_condition(db, session_id) or "session_id = :session_id"
    total, found = 0, {}
    values = {"session_id": session_id, "at": at}
    for end, begun, started_at, provider, model, tier, *tokens in db.execute(
        _EXCHANGES.format(condition=condition), values
    ):
        cost = prices.cost(Served(begun, started_at, provider, model, tier), Consumption(*tokens))
        if cost is not None:
            total = bounded(total + cost)
            found[end] = total
    return found
