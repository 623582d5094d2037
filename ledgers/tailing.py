"""Following a file that grows: lines that are whole, also after it was cut, replaced, or was not there for a while."""

import os
import stat
from pathlib import Path

_CHUNK = 1 << 16
_MOST = 4 << 20  # bytes in one go; of more, only the end is looked at
_LONGEST = 1 << 20  # a longer line is left out


class Tail:
    """Begins at the end of what is there: what was written before is not news. Files are opened for each look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None  # device and inode
        self._at = 0
        self._rest = b""
        self._began = False

    def lines(self) -> list[bytes]:
        """What was added since the last look. Raises OSError, but not where there is no file."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            self._file, self._at, self._rest = None, 0, b""
            self._began = True  # a file that comes is new from its beginning
            return []
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return []
            self._place((found.st_dev, found.st_ino), found.st_size)
            if found.st_size - self._at > _MOST:
                self._at, self._rest = found.st_size - _MOST, b""
            file.seek(self._at)
            data = file.read(found.st_size - self._at)
        self._at += len(data)
        return self._whole(data)

    def _place(self, own: tuple[int, int], size: int) -> None:
        if not self._began:
            self._began, self._at = True, size
        elif own != self._file or size < self._at:  # rotated, or cut
            self._at, self._rest = 0, b""
        self._file = own

    def _whole(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            self._rest = b""
        return lines
