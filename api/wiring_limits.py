"""What limits completions, made of the configuration."""

import time
from collections.abc import Callable

from api.configuration import Configuration
from api.configuration_sections import BudgetEntry
from commands.handling import CommandHandler
from commands.workspace import family
from projections.pricing import Adopted, Consumption, Pricing, Served
from proxy.budgeting import Budgeting
from proxy.budgets import Amount, Budgets, Limits, Price
from proxy.limiter import Limiter
from proxy.rate_window import Window
from proxy.spending import restore_day
from schema.exchanges import Usage
from schema.log import EventLog


def limiter(configuration: Configuration) -> Limiter | None:
    """None where there is nothing but to count all requests together: the hot path then has nothing to ask."""
    section = configuration.rate_limit
    providers = {each.key: Window(f"provider {each.key}", each.max_rpm) for each in configuration.providers}
    keys = {name: Window(f"key {name}", entry.max_rpm) for name, entry in configuration.keys.items()}
    everyone = Window("all requests", section.max_rpm) if section.max_rpm and section.mode != "observe" else None
    limited = {key: window for key, window in providers.items() if window.limit}
    named = {name: window for name, window in keys.items() if window.limit}
    if everyone is None and not limited and not named:
        return None
    return Limiter(section.mode, everyone, limited, named, max_wait_s=section.max_wait_ms / 1_000, clock=time.monotonic)


def budgeting(
    configuration: Configuration, log: EventLog, handler: CommandHandler, price: Price, now: Callable[[], int]
) -> Budgeting | None:
    """None where there is no budget. Reads what was used today from the log."""
    section = configuration.budgets
    keys = {name: entry.budget or section.key for name, entry in configuration.keys.items()}
    limits = Limits(
        session=_amount(section.session),
        day=_amount(section.day),
        keys={name: _amount(entry) for name, entry in keys.items() if any(_amount(entry))},
        output_tokens=section.output_tokens,
        priced_only=section.unpriced == "refuse",
    )
    if not any((*limits.session, *limits.day, limits.keys)):
        return None
    budgets = Budgets(limits, price, now)
    restore_day(log, budgets, now())
    longest = {model.key: model.max_output_tokens for model in configuration.models}
    return Budgeting(budgets, log, longest.get, lambda number: family(handler.state, number))


def configured_price(configuration: Configuration) -> Price:
    """By the price book of the configuration, in micro-dollars; the service tier is not known beforehand, and not asked
    for afterwards."""
    pricing = Pricing([Adopted(0, "")], [], {"": configuration.price_book})

    def price(provider: str, model: str, usage: Usage, at: int) -> int | None:
        used = Consumption(
            usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens or 0, usage.cache_write_tokens or 0
        )
        return pricing.cost(Served(0, at, provider, model), used)

    return price


def _amount(entry: BudgetEntry) -> Amount:
    return Amount(entry.tokens, round(entry.usd * 1_000_000), entry.requests)


def key_names(configuration: Configuration) -> dict[str, str]:
    """The names of clients' keys, by key."""
    return {entry.key: name for name, entry in configuration.keys.items()}
