"""Importing ledgers now and then, where the configuration says so. Off by default."""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from api.configuration_sections import Polling
from commands.errors import CommandError
from commands.handling import Outcome
from ledgers.catalogue import Ledger
from schema.ledgers import Tool
from schema.recorded import Metadata

_log = logging.getLogger("chronoproxy.ledgers")
_REST = 20  # times what a look took is the shortest pause after it
_BY = Metadata(actor="system", by="polling")
State = tuple[int, int, int]  # of a file: inode, bytes, time of the last write in ns


class Desk(Protocol):
    """What it needs of the desk."""

    def of(self, tool: Tool | None = None) -> list[Ledger]: ...

    async def take_over(self, ledgers: Sequence[Ledger], metadata: Metadata) -> Outcome: ...


class LedgerPolling:
    """Reads a ledger again when one of its files is other than it was. What fails is told of, and tried again later
    and later."""

    def __init__(
        self,
        desk: Desk,
        tools: Sequence[Tool],
        section: Polling,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._tools, self._section, self._wait, self._clock = desk, tools, section, wait, clock
        self._seen: dict[Ledger, dict[str, State]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        pause = float(self._section.interval_seconds)
        while True:
            try:
                begun = self._clock()
                await self.once()
                pause = max(self._section.interval_seconds, _REST * (self._clock() - begun))
            except (CommandError, sqlite3.Error, OSError) as error:
                pause = min(2 * pause, float(max(self._section.backoff_max_seconds, self._section.interval_seconds)))
                _log.error("ledgers could not be imported, next try in %.0f s: %s", pause, error)
            await self._wait(pause)

    async def once(self) -> int:
        """How many ledgers were read. Raises CommandError, sqlite3.Error and OSError."""
        changed = await asyncio.to_thread(self._changed)
        if changed:
            outcome = await self._desk.take_over(tuple(changed), _BY)
            self._seen |= changed  # as they were before they were read
            if outcome.count:
                _log.info("%d ledgers read, %d events", len(changed), outcome.count)
        return len(changed)

    def _changed(self) -> dict[Ledger, dict[str, State]]:
        ledgers = [ledger for tool in self._tools for ledger in self._desk.of(tool)]
        states = {ledger: _state(ledger.path) for ledger in ledgers}
        return {ledger: state for ledger, state in states.items() if state and state != self._seen.get(ledger)}


def _state(path: Path) -> dict[str, State]:
    """Of a file, with the log of a database beside it, or of all files below a folder."""
    if not path.is_dir():
        return {str(each): state for each in (path, Path(f"{path}-wal")) if (state := _stat(each)) is not None}
    found = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return {each: state for each in found if (state := _stat(Path(each))) is not None}


def _stat(path: Path) -> State | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
