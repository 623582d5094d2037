"""How much room the disk still has for the log, and saying so before there is none."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Literal

import msgspec

Status = Literal["ok", "low", "critical"]
LOW_BYTES, CRITICAL_BYTES = 1 << 30, 100 << 20
_EVERY_S = 60.0
_log = logging.getLogger("chronoproxy.disk")


class Disk(msgspec.Struct, frozen=True):
    """The file system of the data directory, for this user."""

    free_bytes: int

    @property
    def status(self) -> Status:
        if self.free_bytes < CRITICAL_BYTES:
            return "critical"
        return "low" if self.free_bytes < LOW_BYTES else "ok"


def disk_of(directory: Path) -> Disk:
    """Raises OSError."""
    return Disk(shutil.disk_usage(directory).free)


class DiskWatch:
    """Tells our own log each time that the disk comes nearer to being full, and once when there is room again."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._told = directory, Disk(LOW_BYTES)

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            try:
                self.look(await asyncio.to_thread(disk_of, self._directory))
            except OSError as error:
                _log.warning("the room on the disk cannot be read: %s", error)
            await asyncio.sleep(_EVERY_S)

    def look(self, disk: Disk) -> None:
        before, self._told = self._told.status, disk
        if disk.status == before:
            return
        free = disk.free_bytes / (1 << 20)
        if disk.status == "ok":
            _log.info("the disk has room again: %.0f MiB free", free)
        else:
            level = logging.ERROR if disk.status == "critical" else logging.WARNING
            _log.log(level, "only %.0f MiB are free for %s; erase or move what is not needed", free, self._directory)
