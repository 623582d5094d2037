"""A runner over a file of read tables and a log in memory, with what tests need to make it stumble."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from projections.catalogue import PROJECTIONS
from projections.declaration import Handler, Projection
from projections.runner import Runner
from projections.store import ReadStore, open_store
from projections.waiting import Waiter
from schema.recorded import Recorded
from schema.sessions import SessionStarted
from tests.projections.building import FakeLog, dump

WITHIN_S = 20.0


class Rig:
    """`runner` over `store`; `write` commits to the log and feeds, as the writer does."""

    def __init__(self, store: ReadStore, log: FakeLog, runner: Runner, waiter: Waiter) -> None:
        self.store, self.log, self.runner, self.waiter = store, log, runner, waiter

    def write(self, events: Sequence[Recorded]) -> None:
        self.log.events += events
        self.runner.feed(list(events))

    def wait(self, position: int) -> None:
        asyncio.run(self.waiter.until(position, WITHIN_S))

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """What another connection sees."""
        db = sqlite3.connect(self.store.path)
        try:
            return dump(db)
        finally:
            db.close()

    def states(self) -> dict[str, tuple[str, int]]:
        return {status.name: (status.state, status.position) for status in self.runner.status()}


@contextmanager
def rig(
    path: Path,
    log: FakeLog,
    projections: Sequence[Projection] = PROJECTIONS,
    *,
    batch: int = 2_000,
    max_queued: int = 20_000,
) -> Iterator[Rig]:
    """A rig whose runner is not started yet; all is stopped and closed at the end."""
    store, waiter = open_store(path, projections, log), Waiter()
    runner = Runner(store, projections, log, waiter, batch=batch, max_queued=max_queued)
    try:
        yield Rig(store, log, runner, waiter)
    finally:
        runner.stop()
        store.close()


def eventually(fact: Callable[[], bool]) -> None:
    """Wait for a fact that nothing announces."""
    end = time.monotonic() + WITHIN_S
    while not fact():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)


def noting(after: Callable[[Recorded], None] = lambda _: None, *, name: str = "noted", version: int = 1) -> Projection:
    """A projection that writes down the position of each SessionStarted, then calls `after` with it."""

    def note(db: sqlite3.Connection, recorded: Recorded, _: SessionStarted) -> None:
        db.execute(f"INSERT INTO {name} VALUES (?)", (recorded.position,))
        after(recorded)

    handles: dict[type, Handler] = {SessionStarted: note}
    tables = (f"CREATE TABLE {name}(position INTEGER PRIMARY KEY) STRICT",)
    return Projection(name=name, version=version, tables=tables, handles=handles)
