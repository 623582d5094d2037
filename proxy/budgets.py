"""Budgets of tokens, money and requests: reserved before a request goes upstream, settled by what it came to.

Three of them: of each session for ever, of all requests of a UTC day, and of each named key on a UTC day. What is
reserved lives in memory only; what is used is folded from the log (spending.py), so that nothing is lost or left over
when the process dies. An exchange belongs to the day on which it began. Runs on the event loop.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from proxy.openai_errors import LimitRefusal
from schema.exchanges import LimitUnit, Usage

_DAY_MS = 86_400_000
_SESSIONS = 1_000
_UNITS: tuple[LimitUnit, ...] = ("tokens", "micro_usd", "requests")

Price = Callable[[str, str, Usage, int], int | None]  # provider, its model, tokens, ms since the epoch: micro-dollars


class Amount(NamedTuple):
    tokens: int = 0
    micro_usd: int = 0
    requests: int = 0

    def plus(self, other: "Amount", sign: int = 1) -> "Amount":
        return Amount(*(mine + sign * theirs for mine, theirs in zip(self, other, strict=True)))


class Account(msgspec.Struct, eq=False):
    """One budget. `limit` has 0 where there is none; `resets_at` in ms since the epoch, None for never; `unpriced`
    counts the requests in `used` that have no price."""

    name: str
    limit: Amount
    resets_at: int | None = None
    used: Amount = Amount()
    reserved: Amount = Amount()
    unpriced: int = 0

    def lacking(self, wanted: Amount) -> LimitUnit | None:
        """The unit of which there is not enough left for `wanted` more."""
        taken = self.used.plus(self.reserved).plus(wanted)
        return next(
            (unit for unit, sum_, most in zip(_UNITS, taken, self.limit, strict=True) if most and sum_ > most), None
        )


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration allows. `keys` are the named keys with a budget; `output_tokens` are reserved where
    neither request nor model says how long an answer may be; `priced_only` refuses what has no price where money is
    limited."""

    session: Amount = Amount()
    day: Amount = Amount()
    keys: Mapping[str, Amount] = {}
    output_tokens: int = 4_096
    priced_only: bool = False


class Wanted(msgspec.Struct, frozen=True):
    """What a request may come to: `amount` without money where there is no price."""

    amount: Amount
    priced: bool


class Reservation:
    """Held until the exchange has ended; settling it again changes nothing."""

    def __init__(self, accounts: Sequence[Account], amount: Amount) -> None:
        self._accounts, self._amount, self._open = accounts, amount, True
        for account in accounts:
            account.reserved = account.reserved.plus(amount)

    def limits_money(self) -> bool:
        return any(account.limit.micro_usd for account in self._accounts)

    def has_room(self, amount: Amount) -> bool:
        """Whether there is enough left to hold `amount` instead. What is no more of a unit than is held always fits."""
        more = amount.plus(self._amount, -1)
        return not any(
            most and extra > 0 and used + held + extra > most
            for account in self._accounts
            for used, held, extra, most in zip(account.used, account.reserved, more, account.limit, strict=True)
        )

    def change(self, amount: Amount) -> None:
        """Hold `amount` instead."""
        if not self._open:
            return
        for account in self._accounts:
            account.reserved = account.reserved.plus(self._amount, -1).plus(amount)
        self._amount = amount

    def settle(self, used: Amount, *, priced: bool) -> None:
        if not self._open:
            return
        self._open = False
        for account in self._accounts:
            account.reserved = account.reserved.plus(self._amount, -1)
            spend(account, used, priced=priced)


class Budgets:
    """The accounts. `now` gives ms since the epoch."""

    def __init__(self, limits: Limits, price: Price, now: Callable[[], int]) -> None:
        self.limits, self._price, self._now = limits, price, now
        self._sessions: OrderedDict[int, Account] = OrderedDict()
        self._day = -1
        self._of_day: dict[str | None, Account] = {}  # by key; None: of all requests

    def knows(self, session_id: int) -> bool:
        """Whether what the session has used is known, or does not matter."""
        return not any(self.limits.session) or session_id in self._sessions

    def add_session(self, session_id: int, account: Account) -> None:
        """What the log says a session has used; ignored where it is known by now."""
        self._sessions.setdefault(session_id, account)
        for number in list(self._sessions)[: max(len(self._sessions) - _SESSIONS, 0)]:
            if not any(self._sessions[number].reserved):
                del self._sessions[number]

    def forget(self, session_id: int) -> None:
        """Other exchanges belong to it now."""
        self._sessions.pop(session_id, None)

    def fresh_session(self) -> Account:
        return Account("the session", self.limits.session)

    def price(self, provider: str, model: str, usage: Usage, at: int) -> tuple[Amount, bool]:
        """What an exchange came to, and whether it has a price."""
        cost = self._price(provider, model, usage, at) if usage.total_tokens else 0
        return Amount(usage.total_tokens, cost or 0, 1), cost is not None

    def now(self) -> int:
        return self._now()

    def wanted(self, provider: str, model: str, tokens: int, output: int) -> Wanted:
        """Of a request with so many input tokens and at most so many of output."""
        usage = Usage(prompt_tokens=tokens, completion_tokens=output, total_tokens=tokens + output)
        return Wanted(*self.price(provider, model, usage, self._now()))

    def check(self, session_id: int | None, key: str | None, wanted: Wanted) -> None:
        """Raises LimitRefusal. `session_id` is None for a session that is yet to be."""
        accounts = self._accounts(session_id, key)
        if self.limits.priced_only and not wanted.priced:
            limited = next((account for account in accounts if account.limit.micro_usd), None)
            if limited is not None:
                raise _unpriced(limited)
        for account in accounts:
            unit = account.lacking(wanted.amount)
            if unit is not None:
                raise self._refusal(account, unit, wanted.amount)

    def reserve(self, session_id: int, key: str | None, wanted: Wanted) -> Reservation:
        """Nothing may be awaited between `check` and this."""
        return Reservation(self._accounts(session_id, key), wanted.amount)

    def affords(self, held: Reservation, wanted: Wanted) -> bool:
        """Whether `wanted` may be held instead of what is: for a request that goes elsewhere."""
        refused = self.limits.priced_only and not wanted.priced and held.limits_money()
        return not refused and held.has_room(wanted.amount)

    def spent(self, key: str | None, used: Amount, *, priced: bool) -> None:
        """Of an exchange that began today, as the log has it."""
        for account in self._today(key):
            spend(account, used, priced=priced)

    def accounts(self, session_id: int | None = None) -> list[Account]:
        """Today's, and a session's."""
        self._today(None)
        found = list(self._of_day.values())
        session = self._sessions.get(session_id) if session_id is not None else None
        return [*found, session] if session is not None else found

    def _accounts(self, session_id: int | None, key: str | None) -> list[Account]:
        found = self._today(key)
        if any(self.limits.session):
            account = self._sessions.get(session_id) if session_id is not None else None
            if account is None:
                account = self.fresh_session()
                if session_id is not None:
                    self.add_session(session_id, account)
            if session_id is not None:
                self._sessions.move_to_end(session_id)
            found.append(account)
        return found

    def _today(self, key: str | None) -> list[Account]:
        day = self._now() // _DAY_MS
        if day > self._day:  # a clock that is set back does not open a day again
            self._day, ends = day, (day + 1) * _DAY_MS
            self._of_day = {name: Account(f"key {name}", most, ends) for name, most in self.limits.keys.items()}
            self._of_day |= {None: Account("the day", self.limits.day, ends)} if any(self.limits.day) else {}
        found = (self._of_day.get(None), self._of_day.get(key) if key is not None else None)
        return [account for account in found if account is not None]

    def _refusal(self, account: Account, unit: LimitUnit, wanted: Amount) -> LimitRefusal:
        used, held, most, more = (
            getattr(amount, unit) for amount in (account.used, account.reserved, account.limit, wanted)
        )
        when = "it does not reset"
        headers = [(b"x-budget", account.name.encode()), (b"x-should-retry", b"false")]
        if account.resets_at is not None:
            text = iso(account.resets_at)
            when = f"it resets at {text}"
            seconds = max((account.resets_at - self._now() + 999) // 1_000, 1)
            headers += [(b"x-budget-reset", text.encode()), (b"retry-after", b"%d" % seconds)]
        told = (
            f"The budget of {account.name} is {amount_text(unit, most)}: {amount_text(unit, used)} used,"
            f" {amount_text(unit, held)} reserved, up to {amount_text(unit, more)} needed; {when}."
        )
        return LimitRefusal(
            told, "budget_exceeded", scope=f"budget of {account.name}", limit=most, unit=unit, headers=headers
        )


def spend(account: Account, used: Amount, *, priced: bool) -> None:
    account.used = account.used.plus(used)
    account.unpriced += not priced


def amount_text(unit: LimitUnit, value: int) -> str:
    return f"${value / 1_000_000:,.4f}" if unit == "micro_usd" else f"{value:,} {unit}"


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unpriced(account: Account) -> LimitRefusal:
    text = f"The model has no price, and the budget of {account.name} is in US dollars: it cannot be counted."
    return LimitRefusal(
        text,
        "budget_exceeded",
        scope=f"budget of {account.name}",
        limit=account.limit.micro_usd,
        unit="micro_usd",
        headers=((b"x-budget", account.name.encode()), (b"x-should-retry", b"false")),
    )
