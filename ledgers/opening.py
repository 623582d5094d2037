"""Which files may be read, and opening them: nothing outside the list of places, whatever a link says.

A place is written down with the real path of the folder that it lies in; what it names must be there itself. So a link
in its place, or in a folder that is a place, leads nowhere unless its target is a place too.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from ledgers.tasks import Problem

MOST_FILES = 200_000
_DEEPEST = 12  # folders below a place
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class RefusedError(Exception):
    """It may not be read; the text says why."""


class Places:
    """The real paths of files and folders that may be read, these with all below them."""

    def __init__(self, paths: Iterator[Path] | list[Path]) -> None:
        self._paths = frozenset(map(str, paths))

    def real(self, path: Path) -> Path:
        """Where it really is. Raises RefusedError where that is no place."""
        real = Path(os.path.realpath(path))
        if str(real) not in self._paths and not any(str(parent) in self._paths for parent in real.parents):
            raise RefusedError("leads out of the places that may be read")
        return real

    def inside(self, path: Path) -> bool:
        try:
            self.real(path)
        except RefusedError:
            return False
        return True


class Source:
    """One ledger, a file or a folder. `owners` are the answers on record by their digests: which task holds them."""

    def __init__(self, path: Path, places: Places, owners: Mapping[bytes, str] = MappingProxyType({})) -> None:
        self.path, self._places, self.owners = path, places, owners

    def real(self, path: Path | None = None) -> Path:
        """Raises RefusedError."""
        return self._places.real(path or self.path)

    @contextmanager
    def open(self, path: Path | None = None) -> Iterator[BinaryIO]:
        """A regular file, itself and no link. Raises RefusedError and OSError."""
        with os.fdopen(_opened(self.real(path)), "rb") as file:
            yield file

    def modified_ms(self, path: Path) -> int:
        """When it was written last. Raises OSError."""
        return path.lstat().st_mtime_ns // 1_000_000

    def files(self, suffix: str, *folders: str) -> Iterator[Path | Problem]:
        """All files below the folder, or below these folders in it, whose names end so, in the order of their paths.
        Links are not followed: one that leads out is a problem, another is there itself. Raises RefusedError."""
        count = 0
        for found in self._all(folders):
            if isinstance(found, Path) and found.is_symlink():
                if not self._places.inside(found):
                    yield Problem(f"{found.name[:80]} is a link out of the places that may be read")
            elif isinstance(found, Problem):
                yield found
            elif found.name.endswith(suffix):
                count += 1
                if count > MOST_FILES:
                    yield Problem(f"there are more than {MOST_FILES:,} files")
                    return
                yield found

    def _all(self, folders: tuple[str, ...]) -> Iterator[Path | Problem]:
        root = self.real()
        if not folders:
            yield from _walk(root, 0)
        for name in folders:
            folder = root / name
            if folder.is_symlink():
                yield folder
            elif folder.is_dir():
                yield from _walk(folder, 0)


def _opened(real: Path) -> int:
    descriptor = os.open(real, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError("is no regular file")
    return descriptor


def _walk(folder: Path, depth: int) -> Iterator[Path | Problem]:
    """Files and links."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Problem(f"{folder.name[:80]} cannot be read: {error.strerror}")
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST:
                yield from _walk(Path(entry.path), depth + 1)
        else:
            yield Path(entry.path)
