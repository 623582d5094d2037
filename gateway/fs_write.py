"""Writing files: beside the old one and then in its place, so that nobody sees half a file, and no other name of the
same file is changed."""

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import Allowance
from gateway.fs_read import Path, Size, codec, read_up_to
from gateway.roots import Place, Roots, failure, make_directory

_BACKUPS = 1_000
_FRESH = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW = 0o644  # permissions of a new file
_EMOJI = ((0x1F000, 0x1FAFF), (0x2600, 0x27BF), (0xFE0F, 0xFE0F), (0x200D, 0x200D), (0x20E3, 0x20E3))
_Remove = Annotated[bool, msgspec.Meta(description="Write the text without its emojis.")]


class WriteFile(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    content: str
    encoding: str = "utf-8"
    create_dirs: bool = True
    append: bool = False
    force_remove_emojis: _Remove = False


class LargeWriteFile(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    content: str
    encoding: str = "utf-8"
    create_dirs: bool = True
    append: bool = False
    chunk_size: Annotated[Size, msgspec.Meta(description="Bytes written at once.")] = 65_536
    backup: bool = True
    retry_attempts: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    verify_write: Annotated[bool, msgspec.Meta(description="Read it again and compare.")] = True
    force_remove_emojis: _Remove = False


class CreateDirectory(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    recursive: bool = True


def write_file(roots: Roots, asked: WriteFile) -> Mapping[str, Any]:
    place, data = roots.for_writing(asked.path), _data(asked)
    with roots.directory(place.parent, create=asked.create_dirs) as parent:
        before = existing(roots, parent, place)
        if asked.append and before is not None:
            _append(roots, parent, place, data)
        else:
            replace(roots, parent, place, data)
    return {"path": place.shown, "bytes_written": len(data), "appended": asked.append, "created": before is None}


def large_write(roots: Roots, asked: LargeWriteFile) -> Mapping[str, Any]:
    place, data = roots.for_writing(asked.path), _data(asked)
    with roots.directory(place.parent, create=asked.create_dirs) as parent:
        before = existing(roots, parent, place)
        kept = backup(roots, parent, place) if asked.backup and before is not None else None
        whole = (_old(roots, parent, place) if asked.append and before is not None else b"") + data
        attempts = _again(asked.retry_attempts, lambda: replace(roots, parent, place, whole, chunk=asked.chunk_size))
        digest = hashlib.sha256(whole).hexdigest()
        if asked.verify_write and hashlib.sha256(_old(roots, parent, place)).hexdigest() != digest:
            raise ToolFailure(f"{place.shown} does not hold what was written.")
    return {
        "path": place.shown,
        "bytes_written": len(data),
        "attempts": attempts,
        "verified": asked.verify_write,
        "sha256": digest,
        "backup": kept,
    }


def create_directory(roots: Roots, asked: CreateDirectory) -> Mapping[str, Any]:
    place = roots.for_writing(asked.path)
    with roots.directory(place.parent, create=asked.recursive) as parent:
        created = make_directory(parent, place.name, place)
        os.close(roots.enter(parent, place.name, place))
    return {"path": place.shown, "created": created}


def existing(roots: Roots, parent: int, place: Place) -> os.stat_result | None:
    """The regular file that stands there, None for nothing. Raises ToolFailure for anything else."""
    found = roots.look(parent, place.name)
    if found is None:
        if roots.touches_hidden(place):
            raise ToolFailure(f"{place.shown} belongs to the proxy itself and stays closed.")
        return None
    if stat.S_ISLNK(found.st_mode):
        raise ToolFailure(f"{place.shown} is a symbolic link: these are not followed.")
    if not stat.S_ISREG(found.st_mode):
        raise ToolFailure(f"{place.shown} is not a regular file.")
    return found


def replace(roots: Roots, parent: int, place: Place, data: bytes, *, chunk: int = 1 << 20) -> None:
    """Put `data` in the place of what was there, with its permissions. Raises ToolFailure."""

    def fill(descriptor: int) -> None:
        for start in range(0, len(data), chunk):
            write_all(descriptor, data[start : start + chunk])

    before = existing(roots, parent, place)
    put(parent, place, fill, mode=stat.S_IMODE(before.st_mode) if before is not None else None)


def put(parent: int, place: Place, fill: Callable[[int], object], *, mode: int | None = None) -> None:
    """A new file that `fill` writes, put in its place when it is whole. Raises ToolFailure."""
    name = f".{place.name[:100]}.{secrets.token_hex(6)}.part"
    try:
        descriptor = os.open(name, _FRESH, 0o600, dir_fd=parent)
    except OSError as error:
        raise failure(error, place) from None
    try:
        try:
            os.fchmod(descriptor, mode if mode is not None else _NEW)
            fill(descriptor)
        finally:
            os.close(descriptor)
        os.rename(name, place.name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException as error:
        _remove(parent, name)
        if isinstance(error, OSError):
            raise failure(error, place) from None
        raise


def backup(roots: Roots, parent: int, place: Place) -> str:
    """A copy beside a file; its path. Raises ToolFailure."""
    source = roots.open_at(parent, place.name, place)
    try:
        for number in range(1, _BACKUPS):
            copy = place.parent.below(f"{place.name}.backup.{number}")
            if roots.look(parent, copy.name) is None:
                mode = stat.S_IMODE(os.fstat(source).st_mode)
                put(parent, copy, lambda target: copy_bytes(source, target, place, Allowance()), mode=mode)
                return copy.shown
    finally:
        os.close(source)
    raise ToolFailure(f"{place.shown} has {_BACKUPS} backups already: take some away.")


def copy_bytes(source: int, target: int, place: Place, allowance: Allowance) -> int:
    """All of an open file into another; how many bytes. Raises ToolFailure and OSError."""
    total = 0
    while part := read_up_to(source, 1 << 20, place):
        allowance.bytes(len(part))
        write_all(target, part)
        total += len(part)
    return total


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _append(roots: Roots, parent: int, place: Place, data: bytes) -> None:
    descriptor = roots.open_at(parent, place.name, place, os.O_WRONLY | os.O_APPEND)
    try:
        write_all(descriptor, data)
    except OSError as error:
        raise failure(error, place) from None
    finally:
        os.close(descriptor)


def _old(roots: Roots, parent: int, place: Place) -> bytes:
    descriptor = roots.open_at(parent, place.name, place)
    try:
        allowance = Allowance()
        allowance.bytes(os.fstat(descriptor).st_size)
        return read_up_to(descriptor, os.fstat(descriptor).st_size, place)
    finally:
        os.close(descriptor)


def _again(retries: int, write: Callable[[], None]) -> int:
    """How often it was tried. Raises the last ToolFailure."""
    for attempt in range(1, retries + 1):
        try:
            write()
        except ToolFailure:
            continue
        return attempt
    write()
    return retries + 1


def _data(asked: WriteFile | LargeWriteFile) -> bytes:
    text, encoding = asked.content, codec(asked.encoding)
    if asked.force_remove_emojis:
        text = "".join(each for each in text if not any(low <= ord(each) <= high for low, high in _EMOJI))
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise ToolFailure(f"Character {error.start} of the text has no form in {encoding}.") from None


def _remove(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except OSError:
        return
