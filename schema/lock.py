"""One process owns a data directory: an operating system lock on a file in it, freed when the process ends."""

import os
import sys
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class DirectoryLockedError(Exception):
    """Another process owns the data directory; the message names it."""


class DirectoryLock:
    """Held from construction to `close`. The file names the owner: its process id and, once known, its address."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor)
        except OSError:
            owner = self._owner()
            os.close(self._descriptor)
            raise DirectoryLockedError(f"{directory} is in use by {owner}") from None
        self.note(f"process {os.getpid()}")

    def note(self, owner: str) -> None:
        """Write down who holds the lock."""
        os.ftruncate(self._descriptor, 1)  # byte 0 is what is locked
        os.lseek(self._descriptor, 1, os.SEEK_SET)
        os.write(self._descriptor, owner.encode())

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> "DirectoryLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _owner(self) -> str:
        try:
            return self._path.read_bytes().strip(b"\0 \n").decode(errors="replace") or "another process"
        except OSError:
            return "another process"
