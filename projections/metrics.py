"""Counters over all finished exchanges, for a monitor that reads them again and again.

Nothing is kept for it in the tables: a tally adds up what has finished since it was last asked. So a proxy that nobody
watches pays nothing.
"""

import sqlite3
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schema.exchanges import ReductionStep, Try

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
_TERMINAL = ("ExchangeCompleted", "ExchangeFailed", "ExchangeCancelled", "ExchangeInterrupted")
_BATCH = 20_000
_FINISHED = (
    "SELECT t.position, coalesce(e.last_provider, e.provider), coalesce(e.last_model, e.model_sent), e.outcome,"
    " e.duration_ms, e.ttft_ms, e.overhead_ms, e.steps,"
    " e.attempts, e.tries, e.prompt_tokens,"
    " e.completion_tokens, e.cached_tokens, e.cache_write_tokens, e.reasoning_tokens"
    " FROM timeline t JOIN exchanges e ON e.exchange_id = t.exchange_id AND e.finished_position IS NOT NULL"
    " WHERE t.type = ? AND t.position > ? AND t.position <= ? ORDER BY t.position LIMIT ?"
)
STAGES = ("normalize", "deduplicate", "truncate", "mask", "compact", "compress")
KINDS = ("input", "output", "cached", "cache_write", "reasoning")


_decode_steps = msgspec.json.Decoder(tuple[ReductionStep, ...]).decode
_decode_tries = msgspec.json.Decoder(tuple[Try, ...]).decode


class Requests(NamedTuple):
    """Labels of a counter."""

    provider: str
    model: str
    outcome: str


class Calls(msgspec.Struct):
    """Of one provider: all calls, those that repeat a call of the same model there, and those in the place of
    another one."""

    attempts: int = 0
    retries: int = 0
    fallbacks: int = 0

    def add(self, other: "Calls") -> None:
        self.attempts += other.attempts
        self.retries += other.retries
        self.fallbacks += other.fallbacks


class Histogram:
    """How many values lie up to each bound (the last stands for more), and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class ExchangeTally:
    """What has finished up to the event that each kind of end was read to. Whoever uses it holds its `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._read = dict.fromkeys(_TERMINAL, 0)
        self.requests: dict[Requests, int] = defaultdict(int)
        self.tokens: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.saved: dict[str, int] = dict.fromkeys(STAGES, 0)
        self.calls: dict[str, Calls] = defaultdict(Calls)
        self.request_seconds = Histogram(SECONDS)
        self.ttft_seconds = Histogram(SECONDS)
        self.overhead_seconds = Histogram(OVERHEAD_SECONDS)

    def advance(self, db: sqlite3.Connection, *, at: int) -> None:
        """Add what has finished since, up to event `at`."""
        for name in _TERMINAL:
            while rows := db.execute(_FINISHED, (name, self._read[name], at, _BATCH)).fetchall():
                for position, *row in rows:
                    self._add(*row)
                    self._read[name] = position

    def _add(
        self,
        provider: str,
        model: str,
        outcome: str,
        duration_ms: float | None,
        ttft_ms: float | None,
        overhead_ms: float | None,
        steps: str | None,
        attempts: int,
        tries: str | None,
        *tokens: int | None,
    ) -> None:
        self.requests[Requests(provider, model, outcome)] += 1
        for histogram, value in (
            (self.request_seconds, duration_ms),
            (self.ttft_seconds, ttft_ms),
            (self.overhead_seconds, overhead_ms),
        ):
            if value is not None:
                histogram.add(value / 1_000)
        self._called(provider, attempts, _decode_tries(tries) if tries else ())
        for step in _decode_steps(steps) if steps else ():
            self.saved[step.stage] += step.tokens_saved
        for kind, count in zip(KINDS, tokens, strict=True):
            self.tokens[kind] += count or 0

    def _called(self, provider: str, attempts: int, tries: Sequence[Try]) -> None:
        """`attempts` may be more than the tries that a log of old tells of: those were of the first one."""
        first = self.calls[tries[0].provider if tries else provider]
        untold = max(attempts - len(tries), 0)
        first.attempts += untold
        first.retries += untold if tries else max(untold - 1, 0)
        for before, each in zip((None, *tries), tries, strict=False):
            calls = self.calls[each.provider]
            calls.attempts += 1
            if before is not None:
                same = (before.provider, before.model) == (each.provider, each.model)
                calls.retries += same
                calls.fallbacks += not same
