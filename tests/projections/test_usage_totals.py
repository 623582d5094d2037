"""Totals at every position against a sum over all exchanges, whatever has happened."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from projections.exchange_lists import list_exchanges
from projections.exchanges import EXCHANGES
from projections.session_costs import costs_so_far, session_cost
from projections.sessions import SESSIONS
from projections.usage import wire_usage
from projections.usage_entries import Asked
from schema.exchanges import Usage, UsageSource
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.registry import Event
from tests.projections.building import apply, cancelled, completed, dump, failed, interrupted, memory, record, started
from tests.projections.histories import tried

_MODELS = ("echo", "big")
_SOURCES: tuple[UsageSource, ...] = ("measured", "estimated", "none")
_ENDS = (completed, failed, cancelled, interrupted)
_Tokens = tuple[int, int]


class _History:
    """Events that could have happened, one after the other."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.events: list[Event] = []
        self._homes: dict[int, int] = {}
        self._open: list[int] = []
        self._books: list[str] = []
        self._merged: set[int] = set()

    def step(self) -> None:
        kinds = ["start", "book"]
        kinds += ["end"] * 3 if self._open else []
        kinds += ["reprice"] if self._books else []
        kinds += ["move", "merge"] if set(self._homes) - set(self._open) and not self._open else []
        getattr(self, f"_{self._draw(st.sampled_from(kinds))}")()

    def _start(self) -> None:
        number, session = len(self._homes) + 1, self._draw(st.sampled_from(sorted({1, 2, 3} - self._merged)))
        model = self._draw(st.sampled_from(_MODELS))
        self._homes[number] = session
        self._open.append(number)
        self.events.append(started(number, session, model_sent=model))

    def _end(self) -> None:
        number = self._open.pop(self._draw(st.integers(0, len(self._open) - 1)))
        source = self._draw(st.sampled_from(_SOURCES))
        tokens = st.integers(0, 3_000_000)
        usage = Usage()
        if source != "none":
            usage = Usage(source=source, prompt_tokens=self._draw(tokens), completion_tokens=self._draw(tokens))
        self.events.append(self._draw(st.sampled_from(_ENDS))(number, self._homes[number], usage))

    def _book(self) -> None:
        rates = [self._draw(st.integers(0, 2_000_000)) for _ in range(2)]
        rows = tuple(PriceRow(model=model, input=rate, output=1) for model, rate in zip(_MODELS, rates, strict=True))
        rows = self._draw(st.sampled_from([rows, rows[:1]]))
        self._books.append(f"{len(self._books)}")
        self.events.append(PriceBookAdopted(content=rows, hash=self._books[-1]))

    def _reprice(self) -> None:
        start = self._draw(st.integers(1, len(self.events)))
        self.events.append(RepricedFrom(book=self._draw(st.sampled_from(self._books)), from_=start))

    def _move(self) -> None:
        number = self._draw(st.sampled_from(sorted(self._homes)))
        target = self._draw(st.sampled_from(sorted({1, 2, 3, 4} - self._merged)))
        if target != self._homes[number]:
            old, self._homes[number] = self._homes[number], target
            self.events.append(ExchangeReassigned(session_id=target, exchange_id=number, from_=old, to=target))

    def _merge(self) -> None:
        alive = sorted({1, 2, 3} - self._merged)
        if len(alive) < 2:
            return
        target, *sources = self._draw(st.permutations(alive))
        self._merged |= set(sources)
        moved = [number for number, home in self._homes.items() if home in sources]
        for number in moved:
            self._homes[number] = target
        merged = SessionsMerged(
            session_id=target, target_id=target, source_ids=tuple(sources), exchanges_moved=len(moved)
        )
        self.events.append(merged)


@st.composite
def _histories(draw: st.DrawFn) -> list[Event]:
    history = _History(draw)
    for _ in range(draw(st.integers(1, 25))):
        history.step()
    return history.events


def _expected(db: sqlite3.Connection, at: int) -> dict[str, tuple[int, int, int, int, int]]:
    """Of each session: exchanges, input, output, micro-dollars, exchanges without a price."""
    found: dict[str, list[int]] = {}
    for row in list_exchanges(db, at=at, limit=1_000).rows:
        if row.outcome == "running":
            continue
        sums = found.setdefault(str(row.session_id), [0, 0, 0, 0, 0])
        unpriced = row.usage.source != "none" and row.cost is None
        more = 1, row.usage.prompt_tokens, row.usage.completion_tokens, row.cost or 0, int(unpriced)
        sums[:] = [have + new for have, new in zip(sums, more, strict=True)]
    return {key: (a, b, c, d, e) for key, (a, b, c, d, e) in found.items()}


def _found(db: sqlite3.Connection, at: int) -> dict[str, tuple[int, int, int, int, int]]:
    found: dict[str, list[int]] = {}
    for entry in wire_usage(db, Asked(group_by="session"), at=at):
        sums = found.setdefault(entry.key, [0, 0, 0, 0, 0])
        more = entry.exchanges, entry.input, entry.output, entry.cost, entry.unpriced
        sums[:] = [have + new for have, new in zip(sums, more, strict=True)]
    return {key: (a, b, c, d, e) for key, (a, b, c, d, e) in found.items()}


@tried
@given(_histories(), st.integers(1, 7))
def test_totals_are_the_sum_of_the_exchanges_at_every_position(events: list[Event], batch: int) -> None:
    db = memory()
    try:
        apply(db, [SESSIONS, EXCHANGES], record(events), batch=batch)
        for at in range(len(events) + 1):
            assert _found(db, at) == _expected(db, at)
            for session in (1, 2, 3, 4):
                assert session_cost(db, session, at=at) == max(costs_so_far(db, session, at=at).values(), default=None)
        whole = memory()
        apply(whole, [SESSIONS, EXCHANGES], record(events))
        assert dump(whole) == dump(db)
        whole.close()
    finally:
        db.close()
