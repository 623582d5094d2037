"""What exchanges have used, folded from the log: of a day at the start, of a session when it is first needed."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from proxy.budgets import Account, Amount, Budgets, spend
from schema.exchanges import ExchangeStarted, Finished
from schema.log import EventLog
from schema.moving import ExchangeReassigned
from schema.recorded import Recorded

_DAY_MS = 86_400_000
_TYPES = ("ExchangeStarted", "ExchangeCompleted", "ExchangeFailed", "ExchangeCancelled", "ExchangeInterrupted")


class Spent(msgspec.Struct, frozen=True):
    """An exchange that has ended: its beginning and its end."""

    started: ExchangeStarted
    at: int
    finished: Finished


def ended(events: Iterable[Recorded]) -> Iterator[Spent]:
    """The exchanges whose beginning and end are among the events."""
    begun: dict[int, tuple[ExchangeStarted, int]] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, ExchangeStarted):
            begun[event.exchange_id] = event, recorded.timestamp
        elif isinstance(event, Finished) and event.exchange_id in begun:
            yield Spent(*begun.pop(event.exchange_id), event)


def restore_day(log: EventLog, budgets: Budgets, now: int) -> None:
    """What was used of today's budgets before the process began."""
    start = now // _DAY_MS * _DAY_MS
    for each in ended(log.scan(after=last_before(log, start), types=_TYPES)):
        amount, priced = _amount(budgets, each)
        budgets.spent(each.started.key, amount, priced=priced)


def session_account(log: EventLog, budgets: Budgets, family: Sequence[int]) -> Account:
    """What a session has used, with those that have become parts of it and exchanges that were moved there."""
    account = budgets.fresh_session()
    homes = {
        recorded.event.exchange_id: recorded.event.to
        for recorded in log.read(types=("ExchangeReassigned",))
        if isinstance(recorded.event, ExchangeReassigned)
    }
    own = [each for each in log.read(session_id=family, types=_TYPES) if _home(each, homes) in family]
    moved = [number for number, home in homes.items() if home in family]
    came = [each for number in moved for each in log.read(stream=f"exchange-{number}") if each.session_id not in family]
    for spent in (*ended(own), *ended(came)):
        amount, priced = _amount(budgets, spent)
        spend(account, amount, priced=priced)
    return account


def last_before(log: EventLog, ms: int) -> int:
    """Position of the last event before a time; timestamps never run backwards."""
    low, high = 0, log.head()
    while low < high:
        middle = (low + high + 1) // 2
        recorded = log.at(middle)
        if recorded is not None and recorded.timestamp < ms:
            low = middle
        else:
            high = middle - 1
    return low


def _home(recorded: Recorded, homes: dict[int, int]) -> int | None:
    return homes.get(recorded.exchange_id or 0, recorded.session_id)


def _amount(budgets: Budgets, each: Spent) -> tuple[Amount, bool]:
    last = each.finished.sent_last
    provider, model = (last.provider, last.model) if last else (each.started.provider, each.started.model_sent)
    return budgets.price(provider, model, each.finished.usage, each.at)
