"""Pricing history anew, and reports of usage: `python -m benchmarks.prices [exchanges]` (default 100,000).

Read tables of so many exchanges of 200 sessions, three models and thirty days are made; then a price is corrected and
all of them are priced anew, as the projection does it. Beside it, what is not done: adding up every exchange for a
report. CPU in microseconds for each exchange is what to compare.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from projections.applying import Progress, apply_batch
from projections.exchange_lists import list_exchanges
from projections.exchanges import EXCHANGES
from projections.prices import pricing
from projections.pricing import Consumption, Served
from projections.usage import wire_usage
from projections.usage_entries import Asked
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.recorded import Recorded
from schema.registry import Event

_SESSIONS, _MODELS, _DAYS = 200, ("small", "large", "other"), 30
_BEGUN_MS = 1_790_000_000_000
_BATCH = 5_000
_GOAL_S = 20


def _book(rate: int) -> PriceBookAdopted:
    rows = [PriceRow(model=model, input=rate, output=10 * rate, cache_read=rate // 10) for model in _MODELS]
    rows.append(PriceRow(model="large", above=100_000, input=2 * rate, output=20 * rate))
    return PriceBookAdopted(content=tuple(rows), hash=f"{rate:064x}")


def _events(count: int) -> Iterator[Event]:
    yield _book(1_250_000)
    for number in range(1, count + 1):
        session = number * _SESSIONS // (count + 1) + 1
        yield ExchangeStarted(
            session_id=session,
            exchange_id=number,
            model_sent=_MODELS[number % len(_MODELS)],
            provider="bench",
            resolution=Resolution(rule="header:x-session-id"),
            received=MessageRefs(added=("a" * 64,), count=1, tokens=1_000),
            envelope_ref="b" * 64,
        )
        prompt = 1_000 + number % 150_000
        used = Usage(
            source="measured",
            prompt_tokens=prompt,
            completion_tokens=number % 900,
            total_tokens=prompt + number % 900,
            cached_tokens=prompt // 2,
        )
        yield ExchangeCompleted(session_id=session, exchange_id=number, usage=used, timings=Timings(), http_status=200)


def _recorded(position: int, event: Event, step_ms: int) -> Recorded:
    return Recorded(
        position=position,
        stream="bench",
        version=position,
        type=type(event).__name__,
        type_version=1,
        session_id=getattr(event, "session_id", None),
        exchange_id=getattr(event, "exchange_id", None),
        timestamp=_BEGUN_MS + position * step_ms,
        actor="proxy",
        by=None,
        correlation_id=None,
        causation_position=None,
        hash="",
        prev_hash="",
        event=event,
    )


def _filled(db: sqlite3.Connection, progress: Progress, count: int) -> int:
    """The position of the last event."""
    step_ms = max(_DAYS * 86_400_000 // (2 * count), 1)
    position, batch = 0, []
    for position, event in enumerate(_events(count), 1):
        batch.append(_recorded(position, event, step_ms))
        if len(batch) == _BATCH:
            apply_batch(db, [progress], batch)
            batch = []
    apply_batch(db, [progress], batch)
    return position


def _took(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of CPU and of the clock, and what came of it."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return time.process_time() - cpu, time.perf_counter() - wall, found


def _added_up(db: sqlite3.Connection, at: int) -> int:
    """A report without totals: every exchange is priced. In micro-dollars."""
    prices = pricing(db, at=at)
    rows = db.execute(
        "SELECT started_position, started_at, provider, model_sent, prompt_tokens, completion_tokens, cached_tokens"
        " FROM exchanges WHERE finished_position <= ?",
        (at,),
    )
    costs = (
        prices.cost(Served(position, started, provider, model), Consumption(*tokens))
        for position, started, provider, model, *tokens in rows
    )
    return sum(cost for cost in costs if cost is not None)


def run(count: int) -> list[str]:
    with (
        tempfile.TemporaryDirectory() as directory,
        closing(sqlite3.connect(Path(directory) / "read.sqlite", isolation_level=None)) as db,
    ):
        for table in EXCHANGES.tables:
            db.execute(table)
        db.execute("CREATE TABLE tracking(name TEXT, position INTEGER, hash TEXT)")
        progress = Progress(EXCHANGES, 0)
        filled, _, head = _took(lambda: _filled(db, progress, count))
        book = _book(1_000_000)
        anew = RepricedFrom(book=book.hash, from_=1)
        corrected = [_recorded(head + 1, book, 0), _recorded(head + 2, anew, 0)]
        cpu, wall, _ = _took(lambda: apply_batch(db, [progress], corrected))
        at = head + 2
        report, report_wall, entries = _took(lambda: wire_usage(db, Asked(group_by="day"), at=at))
        slow, _, total = _took(lambda: _added_up(db, at))
        page, _, _ = _took(lambda: list_exchanges(db, at=at, limit=50))
        if sum(entry.cost for entry in entries) != total:
            raise AssertionError("totals and exchanges do not agree")
        return [
            f"{count:,} exchanges read into the tables: {filled / count * 1e6:.1f} us CPU each",
            f"priced anew: {cpu / count * 1e6:.2f} us CPU each, {wall:.2f} s in all (goal for 1,000,000: {_GOAL_S} s)",
            f"a report by day: {report * 1e3:.1f} ms CPU ({report_wall * 1e3:.1f} ms); every exchange added up instead:"
            f" {slow * 1e3:.0f} ms, {slow / max(report, 1e-9):.0f} times as much; the sums agree",
            f"a page of 50 exchanges with their costs: {page * 1e3:.2f} ms CPU",
        ]


if __name__ == "__main__":
    for text in run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000):
        sys.stdout.write(text + "\n")
