"""Budgets on the way of a request: what it may come to, whether there is enough, and what it did come to."""

import asyncio
import math
from collections.abc import Callable, Sequence

import msgspec

from proxy.budgets import Budgets, Reservation, Wanted
from proxy.envelope import around
from proxy.providers import Route
from proxy.running import Held, Incoming
from proxy.spending import session_account
from schema.exchanges import Usage
from schema.log import EventLog

_MOST = 1 << 40  # tokens


class _Longest(msgspec.Struct):
    """What a request says of the length of its answers."""

    max_completion_tokens: msgspec.Raw = msgspec.Raw(b"")
    max_tokens: msgspec.Raw = msgspec.Raw(b"")
    n: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(_Longest).decode
_decode_number = msgspec.json.Decoder(int | float).decode


class Budgeting:
    """`longest` gives a model's longest answer in tokens, None where that is not known; `family` the sessions that are
    parts of one."""

    def __init__(
        self,
        budgets: Budgets,
        log: EventLog,
        longest: Callable[[str], int | None],
        family: Callable[[int], Sequence[int]],
    ) -> None:
        self.budgets = budgets
        self._log, self._longest, self._family = log, longest, family

    def knows(self, session_id: int | None) -> bool:
        """Whether what a session has used is known; of one that is yet to be, it is."""
        return session_id is None or self.budgets.knows(session_id)

    async def learn(self, session_id: int | None) -> None:
        """Read what the session has used."""
        if session_id is not None and not self.knows(session_id):
            account = await asyncio.to_thread(session_account, self._log, self.budgets, self._family(session_id))
            self.budgets.add_session(session_id, account)

    def affordable(self, session_id: int | None, incoming: Incoming, tokens: int) -> Wanted:
        """The most that a request of so many input tokens may come to, as far as anybody says. Raises LimitRefusal
        where there is not so much left; `session_id` is None for a session that is yet to be."""
        output = self._output(around(incoming.request.envelope), incoming.model_key)
        wanted = self.budgets.wanted(incoming.provider, incoming.model_sent, tokens, output)
        self.budgets.check(session_id, incoming.key, wanted)
        return wanted

    def reserve(self, session_id: int, incoming: Incoming, tokens: int, wanted: Wanted) -> Held:
        """Nothing may be awaited between `affordable` and this."""
        return Reserved(self, incoming, tokens, self.budgets.reserve(session_id, incoming.key, wanted))

    def elsewhere(self, incoming: Incoming, tokens: int, route: Route) -> Wanted:
        """The most that it may come to on another route than its first one."""
        output = self._output(around(incoming.request.envelope), route.model_key)
        return self.budgets.wanted(route.provider.key, route.upstream_model, tokens, output)

    def _output(self, body: bytes, model_key: str) -> int:
        try:
            said = _decode(body)
        except (msgspec.MsgspecError, RecursionError):
            said = _Longest()
        longest = _claim(said.max_completion_tokens) or _claim(said.max_tokens) or self._longest(model_key)
        return min((longest or self.budgets.limits.output_tokens) * (_claim(said.n) or 1), _MOST)


class Reserved:
    """What is held for one exchange, until it is settled."""

    def __init__(self, budgeting: Budgeting, incoming: Incoming, tokens: int, reservation: Reservation) -> None:
        self._budgeting, self._incoming, self._tokens = budgeting, incoming, tokens
        self._reservation, self._began = reservation, budgeting.budgets.now()

    def affords(self, route: Route) -> bool:
        """As Held says."""
        return self._budgeting.budgets.affords(self._reservation, self._wanted(route))

    def change(self, route: Route) -> None:
        """As Held says."""
        self._reservation.change(self._wanted(route).amount)

    def _wanted(self, route: Route) -> Wanted:
        return self._budgeting.elsewhere(self._incoming, self._tokens, route)

    def settle(self, usage: Usage, provider: str | None, model: str | None) -> None:
        """As Held says."""
        budgets, first = self._budgeting.budgets, self._incoming
        amount, priced = budgets.price(provider or first.provider, model or first.model_sent, usage, self._began)
        self._reservation.settle(amount, priced=priced)


def _claim(raw: msgspec.Raw) -> int | None:
    """A positive number, however it is written; else nothing. What is too large to be read, or to be true, is the most
    that we count to: a claim that nobody could pay is not taken for none."""
    try:
        value = _decode_number(raw)
    except (msgspec.MsgspecError, RecursionError):
        return _MOST if bytes(raw)[:1].isdigit() else None
    return math.ceil(min(value, _MOST)) if value > 0 else None
