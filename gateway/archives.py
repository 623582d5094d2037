"""What an archive holds, read with suspicion: names that lead out, links, devices and swelling contents are refused."""

import bz2
import gzip
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal, Protocol, cast

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import MOST_BYTES, Allowance, ExhaustedError

Format = Literal["zip", "tar", "tar.gz", "tar.bz2"]
MOST_MEMBERS = 10_000
_RATIO = 200  # contents to archive
_SMALL = 16 << 20  # below it the ratio does not matter
_DIRECTORY_BYTES = 16 << 20  # of a zip file's directory
_END = struct.Struct("<4s4H2LH")
_REGULAR = (0, 0o100000)


class Bytes(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Member(msgspec.Struct, frozen=True):
    """A file or a directory in an archive. `open` gives its contents, while the archive is at it."""

    parts: tuple[str, ...]
    is_directory: bool
    mode: int
    open: Callable[[], IO[bytes]]


class _Swelling:
    """What comes out of a decompressor, counted."""

    def __init__(self, source: Bytes, archive_bytes: int, allowance: Allowance) -> None:
        self._source, self._archive_bytes, self._allowance = source, archive_bytes, allowance
        self._total = 0

    def read(self, size: int = -1, /) -> bytes:
        """Raises ExhaustedError."""
        data = self._source.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.count(len(data))
        return data

    def count(self, size: int) -> None:
        self._total += size
        self._allowance.bytes(size)
        self.check(self._total)

    def check(self, total: int) -> None:
        """Raises ExhaustedError."""
        if total > min(max(_SMALL, self._archive_bytes * _RATIO), MOST_BYTES):
            raise ExhaustedError("The archive swells to many times its size: it is refused.")


def members(file: IO[bytes], allowance: Allowance) -> Iterator[Member]:
    """In their order. Raises ToolFailure for what is no archive, or a hostile one."""
    size = os.fstat(file.fileno()).st_size
    if size > MOST_BYTES:
        raise ToolFailure(f"The archive has more than {MOST_BYTES:,} bytes.")
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    with readable():
        if start[:2] == b"PK":
            yield from _of_zip(file, size, allowance)
        else:
            yield from _of_tar(file, start, size, allowance)


@contextmanager
def readable() -> Iterator[None]:
    """What is wrong with an archive as a ToolFailure."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise ToolFailure(f"The archive cannot be read ({type(error).__name__}).") from None
    except (RuntimeError, ValueError, struct.error):
        raise ToolFailure("The archive is encrypted or damaged.") from None


def safe_parts(name: str) -> tuple[str, ...]:
    """The names on the way to a member. Raises ToolFailure where they lead out of the archive."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    bad = name.startswith("/") or "\\" in name or ".." in parts or len(name) > 4_096
    if bad or not parts or any(character == "\0" or "\ud800" <= character <= "\udfff" for character in name):
        raise ToolFailure(f"The archive holds {name[:200]!r}, which leads out of it: nothing was unpacked.")
    return parts


def _special(name: str) -> ToolFailure:
    return ToolFailure(f"The archive holds a link or a device, {name[:200]!r}: nothing was unpacked.")


def _of_zip(file: IO[bytes], size: int, allowance: Allowance) -> Iterator[Member]:
    _check_end(file, size)
    with zipfile.ZipFile(file) as archive:
        found = archive.infolist()
        for info in found:
            kind = (info.external_attr >> 16) & 0o170000
            if not info.is_dir() and kind not in _REGULAR:
                raise _special(info.filename)
        swelling = _Swelling(file, size, allowance)
        swelling.check(sum(info.file_size for info in found))  # what it says of itself; then what comes out is counted
        for info in found:
            mode = (info.external_attr >> 16) & 0o777
            yield Member(safe_parts(info.filename), info.is_dir(), mode, _opener(archive, info, swelling))


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo, swelling: _Swelling) -> Callable[[], IO[bytes]]:
    return lambda: cast(IO[bytes], _Counted(archive.open(info), swelling))


class _Counted:
    """A member of a zip file: what it says about its size may be wrong."""

    def __init__(self, source: IO[bytes], swelling: _Swelling) -> None:
        self._source, self._swelling = source, swelling

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        self._swelling.count(len(data))
        return data

    def close(self) -> None:
        self._source.close()


def _check_end(file: IO[bytes], size: int) -> None:
    """Before the directory is read as a whole. Raises ToolFailure."""
    tail = min(size, 65_535 + _END.size)
    file.seek(size - tail)
    data = file.read(tail)
    at = data.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(data):
        raise ToolFailure("The archive has no end: it is damaged.")
    _, _, _, _, entries, length, _, _ = _END.unpack_from(data, at)
    if entries > MOST_MEMBERS or length > _DIRECTORY_BYTES:
        raise ToolFailure(f"The archive has more than {MOST_MEMBERS:,} members.")
    file.seek(0)


def _of_tar(file: IO[bytes], start: bytes, size: int, allowance: Allowance) -> Iterator[Member]:
    source: Any = file
    if start[:2] == b"\x1f\x8b":
        source = gzip.GzipFile(fileobj=file)
    elif start[:3] == b"BZh":
        source = bz2.BZ2File(file)
    swelling = cast(IO[bytes], _Swelling(source, size, allowance))
    with tarfile.open(fileobj=swelling, mode="r|") as archive:
        for number, info in enumerate(archive):
            if number >= MOST_MEMBERS:
                raise ToolFailure(f"The archive has more than {MOST_MEMBERS:,} members.")
            if not (info.isreg() or info.isdir()):
                raise _special(info.name)
            if info.isdir() and info.name in (".", "./"):
                continue
            yield Member(safe_parts(info.name), info.isdir(), info.mode & 0o777, _tar_opener(archive, info))


def _tar_opener(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    return lambda: cast(IO[bytes], archive.extractfile(info))
