"""Giving room that nothing needs back to the disk, under a running server (contract 9).

Each file is made smaller by the thread that writes it, between two of its transactions: a second writer would be locked
out, or lock it out.
"""

import asyncio
from pathlib import Path

import msgspec

from projections.runner import Runner
from schema.appending import Appender
from schema.chores import vacuum
from schema.keys import KeyStore


class Vacuumed(msgspec.Struct, frozen=True):
    """Sizes of all files, in bytes."""

    before: int
    after: int


class Vacuums:
    """One at a time."""

    def __init__(self, directory: Path, keys: KeyStore, appender: Appender, runner: Runner) -> None:
        self._directory, self._keys, self._appender, self._runner = directory, keys, appender, runner
        self._lock = asyncio.Lock()

    async def run(self) -> Vacuumed:
        """Raises sqlite3.Error where a file cannot be written now."""
        async with self._lock:
            before = self.size()
            await asyncio.wrap_future(self._runner.between(vacuum))
            await asyncio.to_thread(self._keys.vacuum)
            await self._appender.between(vacuum)
            return Vacuumed(before, self.size())

    def size(self) -> int:
        """Bytes of the log, its keys and the read tables, with what belongs to them."""
        return sum(path.stat().st_size for path in self._directory.glob("*.sqlite*"))
