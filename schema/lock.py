"""One process owns a data directory: an operating system lock on a file in it, freed when the process ends.

Where such a file can be deleted while it is locked, the directory itself is locked too: a new file of the same name
would be another lock.
"""

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _lock_directory(directory: Path) -> int | None:
        return None  # what is open cannot be deleted
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock_directory(directory: Path) -> int | None:
        """None on a file system that locks no directories, such as NFS. Raises BlockingIOError."""
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            _lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            os.close(descriptor)
            return None
        return descriptor


class DirectoryLockedError(Exception):
    """Another process owns the data directory; the message names it."""


class DirectoryLock:
    """Held from construction to `close`. The file names the owner: its process id and, once known, its address."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        with contextlib.ExitStack() as undo:
            try:
                self._directory = _lock_directory(directory)
            except BlockingIOError:
                raise self._refusal() from None
            if self._directory is not None:
                undo.callback(os.close, self._directory)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            undo.callback(os.close, self._descriptor)
            try:
                _lock(self._descriptor)
            except OSError:
                raise self._refusal() from None
            undo.pop_all()
        self.note(f"process {os.getpid()}")

    def note(self, owner: str) -> None:
        """Write down who holds the lock."""
        os.ftruncate(self._descriptor, 1)  # byte 0 is what is locked
        os.lseek(self._descriptor, 1, os.SEEK_SET)
        os.write(self._descriptor, owner.encode())

    def close(self) -> None:
        os.close(self._descriptor)
        if self._directory is not None:
            os.close(self._directory)

    def __enter__(self) -> "DirectoryLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refusal(self) -> DirectoryLockedError:
        return DirectoryLockedError(f"{self._path.parent} is in use by {self._owner()}")

    def _owner(self) -> str:
        try:
            return self._path.read_bytes().strip(b"\0 \n").decode(errors="replace") or "another process"
        except OSError:
            return "another process"
