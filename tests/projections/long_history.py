"""`?at=` in a long log against the independent fold: `python -m tests.projections.long_history [events]`."""

import contextlib
import random
import sys
from collections.abc import Iterator

from projections.catalogue import PROJECTIONS
from schema.exchanges import ExchangeStarted
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, SessionActivated
from tests.projections.building import (
    apply,
    cancelled,
    completed,
    failed,
    interrupted,
    measured,
    memory,
    record,
    refs,
    session,
    started,
)
from tests.projections.checks import (
    check_exchanges,
    check_timeline,
    check_totals_of_sessions,
    check_workspace_and_sessions,
)
from tests.projections.oracle import Oracle

_EVENTS = 100_000
_SESSIONS = 40
_ENDS = (completed, completed, completed, failed, cancelled, interrupted)


def history(seed: int) -> Iterator[Event]:
    """Forty sessions, exchanges that overlap, and decisions in between; without end."""
    chance = random.Random(seed)
    for number in range(1, _SESSIONS + 1):
        yield session(number, f"Alpha {number}")
    living, exchange = list(range(1, _SESSIONS + 1)), 0
    begun: list[ExchangeStarted] = []
    latest: dict[int, ExchangeStarted] = {}
    while True:
        dice = chance.random()
        number = chance.choice(living)
        if dice < 0.48 or not begun:
            exchange += 1
            begun.append(_begin(chance, exchange, number, latest))
            yield begun[-1]
        elif dice < 0.94:
            event = begun.pop(chance.randrange(len(begun)))
            yield chance.choice(_ENDS)(event.exchange_id, event.session_id, measured(chance.randrange(900), 7))
        elif dice < 0.96:
            yield SessionRenamed(session_id=number, from_="", to=f"beta {chance.randrange(9)}")
        elif dice < 0.98:
            yield SessionActivated(session_id=number)
        elif dice < 0.985 and len(living) > 5:
            living.remove(number)
            begun = [event for event in begun if event.session_id != number]
            yield SessionDeleted(session_id=number)
        else:
            yield chance.choice((AutoSessionDisabled(), AutoSessionEnabled()))


def _begin(chance: random.Random, exchange: int, number: int, latest: dict[int, ExchangeStarted]) -> ExchangeStarted:
    """Mostly it continues the session's latest exchange."""
    before = latest.get(number) if chance.random() < 0.8 else None
    keep = before.received.count if before else 0
    received = refs(f"m{exchange}", base=before.exchange_id if before else None, keep=min(keep, 30), tokens=10)
    latest[number] = started(exchange, number, received=received, model_sent=chance.choice(("echo", "big")))
    return latest[number]


def compare(count: int, *, every_exchange: int, every_event: int) -> Iterator[int]:
    """Applies a log of `count` events and compares fifty positions of it, which are yielded. Raises AssertionError."""
    events = record(event for event, _ in zip(history(1), range(count), strict=False))
    oracle, done = Oracle(()), 0
    with contextlib.closing(memory()) as db:
        assert all(progress.error is None for progress in apply(db, PROJECTIONS, events, batch=137))
        for at in (*sorted(random.Random(2).sample(range(count + 1), 49)), count):
            oracle.go_on(events[done:at])
            done = at
            check_workspace_and_sessions(db, at, oracle)
            check_exchanges(db, at, oracle, every=every_exchange)
            check_totals_of_sessions(db, at, oracle)
            check_timeline(db, at, oracle, every=every_event)
            yield at


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _EVENTS
    for number, at in enumerate(compare(count, every_exchange=count // 200, every_event=count // 100), 1):
        sys.stdout.write(f"{number:2} of 50: after event {at:,} of {count:,} as in the independent fold\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
