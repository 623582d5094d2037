"""Reading ledgers beside all else: in threads, one import at a time, matched with the exchanges that are in the log."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import msgspec

from api.ledger_shapes import Imported
from commands.errors import InvalidCommandError, NotFoundError
from commands.handling import CommandHandler, Outcome
from commands.ledgers import ImportLedgers, Reading, Row, decide, row
from ledgers.catalogue import Ledger
from ledgers.matching import match, span
from ledgers.places import Machine, Shelf
from ledgers.reading import Trouble, imported, pieces
from ledgers.tasks import Task
from projections.ledger_rows import answers, claims
from projections.store import ReadPool
from projections.waiting import ProjectionLagError, Waiter
from projections.wire_calls import wire_calls
from schema.ledgers import TaskUsageImported, Tool, WireMatch
from schema.recorded import Metadata

_EXCHANGES = 50_000  # that a task is matched with
_ROWS = 500  # of one command: what is decided on at once, on the event loop
_LAG_S = 60.0


Part = Callable[[Outcome], None]  # it is told of what was appended early


class LedgerDesk:
    """The ledgers of this machine, and taking them over."""

    def __init__(
        self, shelf: Shelf, machine: Machine, handler: CommandHandler, reads: ReadPool, waiter: Waiter
    ) -> None:
        self._shelf, self._machine, self._handler, self._reads, self._waiter = shelf, machine, handler, reads, waiter
        self._lock = asyncio.Lock()

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        return self._shelf.ledgers

    def of(self, tool: Tool | None = None, path: str | None = None) -> list[Ledger]:
        """Those of a tool, or at a path, or all. Raises InvalidCommandError for a path that may not be read, and
        NotFoundError where nothing is there."""
        if path is None:
            return [ledger for ledger in self.ledgers if tool in (None, ledger.tool)]
        found = [ledger for ledger in self._shelf.named(path, self._machine) if tool in (None, ledger.tool)]
        if not found:
            raise InvalidCommandError("path_not_allowed", "This path is none of the ledgers that may be read.")
        if not any(there(ledger) for ledger in found):
            raise NotFoundError("ledger_not_found", f"There is no ledger at {found[0].shown}.")
        return found

    def names(self, path: str) -> list[str]:
        """How the ledgers at a path are shown."""
        return [ledger.shown for ledger in self._shelf.named(path, self._machine)]

    async def work(self, tool: Tool | None, path: str | None, metadata: Metadata, part: Part) -> ImportLedgers:
        """Read ledgers, take over the first parts of long ones, and say what is left to do. Raises CommandError."""
        ledgers = await asyncio.to_thread(self.of, tool, path)
        async with self._lock:
            readings = [await self._reading(ledger) for ledger in await asyncio.to_thread(self._wanted, ledgers)]
            return ImportLedgers(tuple([await self._shortened(reading, metadata, part) for reading in readings]))

    async def tried(self, tool: Tool | None, path: str | None) -> Imported:
        """What `work` and its command would do. Raises CommandError."""
        ledgers = await asyncio.to_thread(self.of, tool, path)
        async with self._lock:
            readings = [await self._reading(ledger) for ledger in await asyncio.to_thread(self._wanted, ledgers)]
            events = await asyncio.to_thread(decide, self._handler.ledgers, ImportLedgers(tuple(readings)))
        taken = sum(isinstance(event, TaskUsageImported) for event in events)
        seen = sum(len(reading.rows) + reading.duplicates for reading in readings)
        return Imported(
            imported_count=taken,
            skipped_count=seen - taken,
            error_count=sum(reading.errors for reading in readings),
            latest_ts=max((each.event.ts for reading in readings for each in reading.rows), default=None),
            problems=[f"{reading.ledger}: {problem}" for reading in readings for problem in reading.problems],
        )

    async def take_over(self, ledgers: Sequence[Ledger], metadata: Metadata) -> Outcome:
        """Without a request. Raises CommandError."""
        async with self._lock:
            readings = [await self._reading(ledger) for ledger in ledgers]
            left = tuple([await self._shortened(reading, metadata, lambda _: None) for reading in readings])
            return await self._handler.execute(ImportLedgers(left), metadata)

    def _wanted(self, ledgers: Iterable[Ledger]) -> list[Ledger]:
        """Those that are there, and those that were."""
        known = self._handler.ledgers.ledgers
        return [ledger for ledger in ledgers if there(ledger) or ledger.shown in known]

    async def _reading(self, ledger: Ledger) -> Reading:
        trouble, rows, duplicates = Trouble(), dict[str, Row](), 0
        taken: set[int] = set()  # exchanges that a task of this reading has
        owners = (await self._reads.run(answers, ledger.tool)).value
        found = (
            pieces(ledger, self._shelf.places, trouble, owners) if await asyncio.to_thread(there, ledger) else iter(())
        )
        while piece := await asyncio.to_thread(next, found, None):
            for each in (await self._reads.run(_rows, ledger, piece, taken)).value:
                before = rows.get(each.event.task_id)
                duplicates += before is not None
                if before is None or _use(before) < _use(each):
                    rows[each.event.task_id] = each
        return Reading(
            ledger=ledger.shown,
            tool=ledger.tool,
            kind=ledger.kind.name,
            rows=tuple(rows.values()),
            duplicates=duplicates,
            errors=trouble.errors,
            problems=tuple(trouble.problems),
        )

    async def _shortened(self, reading: Reading, metadata: Metadata, done: Part) -> Reading:
        """What is left of a reading, once all but its last rows are taken over.

        Each part waits until it can be read: else the tables would fall behind, and with them every other write.
        """
        rows, before, taken, latest = reading.rows, 0, 0, None
        while len(rows) - before > _ROWS:
            part = msgspec.structs.replace(reading, rows=rows[before : before + _ROWS], last=False)
            outcome = await self._handler.execute(ImportLedgers((part,)), metadata)
            done(outcome)
            with suppress(ProjectionLagError):  # then the next part waits for both
                await self._waiter.until(outcome.position, _LAG_S)
            taken += outcome.count
            before += _ROWS
            latest = max(latest or 0, *(each.event.ts for each in part.rows))
        return msgspec.structs.replace(
            reading, rows=rows[before:], before=before, taken_before=taken, latest_before=latest
        )


def there(ledger: Ledger) -> bool:
    """Whether something stands in its place, readable or not."""
    return os.path.lexists(ledger.path)


def _rows(db: sqlite3.Connection, ledger: Ledger, piece: list[Task], taken: set[int], *, at: int) -> list[Row]:
    return [row(imported(ledger, task, _match(db, ledger, task, taken, at))) for task in piece]


def _match(db: sqlite3.Connection, ledger: Ledger, task: Task, taken: set[int], at: int) -> WireMatch | None:
    """With exchanges that no other task has: each is one request."""
    from_ms, to_ms = span(task)
    found = wire_calls(db, at=at, from_ms=from_ms, to_ms=to_ms, limit=_EXCHANGES)
    if not found:
        return None
    numbers, own = [each.id for each in found], {(ledger.tool, task.task_id)}
    claimed = claims(db, min(numbers), max(numbers), at=at)
    free = [each for each in found if each.id not in taken and not claimed.get(each.id, own) - own]
    matched = match(ledger.tool, task, free)
    taken.update(matched.exchange_ids if matched is not None else ())
    return matched


def _use(each: Row) -> tuple[int, int]:
    return each.event.ts, each.event.tokens_in + each.event.tokens_out
