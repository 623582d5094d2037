"""Giving room that nothing needs back to the disk, under a running server (contract 9).

Each file is made smaller by the thread that writes it, between two of its transactions: a second writer would be locked
out, or lock it out.
"""

import asyncio
import sqlite3
from pathlib import Path

import msgspec

from api.errors import ApiError
from projections.runner import Runner
from projections.trouble import is_environmental
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
        """Raises ApiError 503 where a file cannot be written now."""
        async with self._lock:
            before = self.size()
            try:
                await asyncio.wrap_future(self._runner.between(vacuum))
                await asyncio.to_thread(self._keys.vacuum)
                await self._appender.between(vacuum)
            except sqlite3.DatabaseError as error:
                if not is_environmental(error):
                    raise
                raise ApiError(503, "store_unavailable", f"The files cannot be made smaller: {error}.") from None
            return Vacuumed(before, self.size())

    def size(self) -> int:
        """Bytes of the log, its keys and the read tables, with what belongs to them."""
        return sum(path.stat().st_size for path in self._directory.glob("*.sqlite*"))
