"""The read side behind the real log and writer."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from projections.catalogue import PROJECTIONS
from projections.runner import Runner
from projections.store import open_store
from projections.waiting import Waiter
from schema.appends import Append
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent
from schema.registry import Event
from schema.writer import LogWriter
from tests.projections.building import completed, dump, session, started

Tables = dict[str, list[tuple[object, ...]]]


@contextmanager
def _product(folder: Path) -> Iterator[tuple[LogWriter, Waiter]]:
    """A writer that feeds a runner, both started; stopped in order at the end."""
    with ExitStack() as stack:
        keys = KeyStore(folder / "keys.sqlite")
        stack.callback(keys.close)
        log = EventLog(folder / "events.sqlite", keys)
        stack.callback(log.close)
        store = open_store(folder / "read.sqlite", PROJECTIONS, log)
        stack.callback(store.close)
        waiter = Waiter()
        runner = Runner(store, PROJECTIONS, log, waiter)
        stack.callback(runner.stop)
        writer = LogWriter(log)
        stack.callback(writer.close)
        writer.subscribe(runner.feed)
        writer.start()
        runner.start()
        yield writer, waiter


def _append(writer: LogWriter, stream: str, event: Event) -> None:
    writer.submit(Append(events=(NewEvent(stream, event),), metadata=Metadata(actor="proxy")))


def _tables(folder: Path) -> Tables:
    with _product(folder) as (_, waiter):
        asyncio.run(waiter.until(41, 20))
    db = sqlite3.connect(folder / "read.sqlite")
    try:
        return dump(db)
    finally:
        db.close()


def test_deleting_the_read_tables_changes_no_answer(tmp_path: Path) -> None:
    with _product(tmp_path) as (writer, waiter):
        _append(writer, "workspace", session(1, "Ünder"))
        for number in range(1, 21):
            _append(writer, f"exchange-{number}", started(number, preview="hello"))
            _append(writer, f"exchange-{number}", completed(number))
        asyncio.run(waiter.until(41, 20))
    live = _tables(tmp_path)
    (tmp_path / "read.sqlite").unlink()
    assert _tables(tmp_path) == live
    assert [row[1] for row in sorted(live["exchanges"])] == list(range(1, 21))
