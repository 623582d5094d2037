"""What the routes of usage answer. Money is in USD, exact to the micro-dollar; tokens are counts."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from api.views import usd
from projections.usage import added
from projections.usage_entries import Entry, Kind

SOURCES: tuple[Kind, ...] = ("measured", "estimated", "imported")


class Used(BaseModel):
    """`input_tokens` hold those read from the cache and written to it (for five minutes or an hour), `output_tokens`
    those of reasoning. `cost_usd` is of the `priced` exchanges, null where none has a price; of the `unpriced` ones the
    cost is not known. `client_cost_usd` is the part of `cost_usd` that clients worked out themselves, for
    `client_priced` of the priced exchanges: the other part is of our prices."""

    exchanges: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    cost_usd: float | None
    priced: int
    unpriced: int
    client_cost_usd: float | None
    client_priced: int


class Sources(BaseModel):
    """How the counts were come by: from the provider's own figures, by our estimate, from a client's ledger."""

    measured: Used
    estimated: Used
    imported: Used


class Totals(Used):
    """Of all kinds together. `unknown` exchanges ended before anything was known of what they used; `attempts` are the
    calls of a provider, `retries` the exchanges by which a client tried again."""

    completed: int
    failed: int
    cancelled: int
    interrupted: int
    unknown: int
    attempts: int
    retries: int
    sources: Sources


class Group(Totals):
    """`key` is a day (UTC), `provider/model`, a provider, a session's id or a client's family, empty where it is not
    known; `name` the session's name, null for others."""

    key: str
    name: str | None


def used(entries: Sequence[Entry]) -> Used:
    return Used.model_validate(_used(entries))


def totals(entries: Sequence[Entry]) -> Totals:
    return Totals.model_validate(_totals(entries))


def group(key: str, name: str | None, entries: Sequence[Entry]) -> Group:
    return Group.model_validate({**_totals(entries), "key": key, "name": name})


def by_key(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.key, []).append(entry)
    return found


def _totals(entries: Sequence[Entry]) -> dict[str, object]:
    whole = added("", "measured", entries)
    return {
        **_used(entries),
        "completed": whole.completed,
        "failed": whole.failed,
        "cancelled": whole.cancelled,
        "interrupted": whole.interrupted,
        "unknown": sum(entry.exchanges for entry in entries if entry.source == "none"),
        "attempts": whole.attempts,
        "retries": whole.retries,
        "sources": {kind: _used([entry for entry in entries if entry.source == kind]) for kind in SOURCES},
    }


def _used(entries: Sequence[Entry]) -> dict[str, object]:
    whole, priced = added("", "measured", entries), sum(entry.priced for entry in entries)
    return {
        "exchanges": whole.exchanges,
        "input_tokens": whole.input,
        "output_tokens": whole.output,
        "cache_read_tokens": whole.cached,
        "cache_write_5m_tokens": whole.cache_write - whole.cache_write_1h,
        "cache_write_1h_tokens": whole.cache_write_1h,
        "reasoning_tokens": whole.reasoning,
        "cost_usd": usd(whole.cost) if priced else None,
        "priced": priced,
        "unpriced": whole.unpriced,
        "client_cost_usd": usd(whole.client_cost) if whole.client_priced else None,
        "client_priced": whole.client_priced,
    }
