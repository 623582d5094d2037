"""Packing and unpacking archives."""

import bz2
import gzip
import io
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import IO, Annotated, Any

import msgspec

from gateway.archives import Format, Member, members, readable
from gateway.arguments import ToolFailure
from gateway.bounds import MOST_BYTES, Allowance
from gateway.fs_read import Path
from gateway.fs_write import existing, put, write_all
from gateway.roots import Place, Roots, make_directory
from gateway.walking import excluded, walk

_OLDEST = 315_532_800  # 1980, where the time of zip files begins
_SHOWN = 100


class CompressFiles(msgspec.Struct, frozen=True, kw_only=True):
    paths: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1_000)]
    output_path: Path
    format: Format = "zip"
    compression_level: Annotated[int, msgspec.Meta(ge=0, le=9)] = 6
    exclude_patterns: list[str] = []


class ExtractArchive(msgspec.Struct, frozen=True, kw_only=True):
    archive_path: Path
    extract_to: Annotated[str, msgspec.Meta(description="A directory; . is the archive's own.")] = "."
    overwrite: bool = False
    create_dirs: bool = True
    preserve_permissions: bool = True
    extract_specific: Annotated[list[str] | None, msgspec.Meta(description="Files or directories in it.")] = None


class _Source(msgspec.Struct, frozen=True):
    """A file or directory to be packed under `name`; `descriptor` is None for a directory."""

    name: str
    status: os.stat_result
    descriptor: int | None


Add = Callable[[_Source, bytes], None]


def compress_files(roots: Roots, asked: CompressFiles) -> Mapping[str, Any]:
    output = roots.for_writing(asked.output_path)
    packed = {"files": 0, "bytes": 0}
    with roots.directory(output.parent) as parent:
        if existing(roots, parent, output) is not None:
            raise ToolFailure(f"{output.shown} exists already.")

        def fill(descriptor: int) -> None:
            with os.fdopen(os.dup(descriptor), "w+b") as file:
                _pack(roots, asked, output, file, packed)

        put(parent, output, fill)
        size = os.stat(output.name, dir_fd=parent, follow_symlinks=False).st_size
    return {"path": output.shown, "format": asked.format, "size": size, **packed}


def extract_archive(roots: Roots, asked: ExtractArchive) -> Mapping[str, Any]:
    """All that is wanted, or nothing where a member is hostile: names are looked at before anything is written."""
    place = roots.place(asked.archive_path)
    into = place.parent if asked.extract_to == "." else roots.place(asked.extract_to)
    roots.for_writing(into.shown)
    written: list[str] = []
    with roots.file(place) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        _look(roots, asked, into, file)
        with roots.directory(into, create=asked.create_dirs):
            pass
        for member in _chosen(members(file, Allowance()), asked.extract_specific):
            _unpack(roots, asked, into, member)
            if not member.is_directory:
                written.append("/".join(member.parts))
    return {"archive": place.shown, "path": into.shown, "files": len(written), "extracted": written[:_SHOWN]}


def _look(roots: Roots, asked: ExtractArchive, into: Place, file: IO[bytes]) -> None:
    """Raises ToolFailure before anything is written."""
    allowance, count = Allowance(), 0
    for member in _chosen(members(file, allowance), asked.extract_specific):
        count += 1
        target = into.below(*member.parts)
        if roots.touches_hidden(target) and not member.is_directory:
            raise ToolFailure(f"{target.shown} belongs to the proxy itself and stays closed.")
    if asked.extract_specific and not count:
        raise ToolFailure("The archive holds nothing of that name.")


def _chosen(found: Iterator[Member], names: list[str] | None) -> Iterator[Member]:
    if names is None:
        yield from found
        return
    wanted = [tuple(part for part in name.split("/") if part) for name in names]
    for member in found:
        if any(member.parts[: len(each)] == each for each in wanted):
            yield member


def _unpack(roots: Roots, asked: ExtractArchive, into: Place, member: Member) -> None:
    target = into.below(*member.parts)
    if member.is_directory:
        with roots.directory(target.parent, create=True) as parent:
            make_directory(parent, target.name, target)
            os.close(roots.enter(parent, target.name, target))
        return
    with roots.directory(target.parent, create=True) as parent:
        if existing(roots, parent, target) is not None and not asked.overwrite:
            raise ToolFailure(f"{target.shown} exists already: allow overwrite. What came before it was unpacked.")
        with readable(), closing(member.open()) as source:
            mode = (member.mode | stat.S_IRUSR | stat.S_IWUSR) if asked.preserve_permissions and member.mode else None
            put(parent, target, lambda descriptor: _pour(source, descriptor), mode=mode)


def _pour(source: IO[bytes], descriptor: int) -> None:
    while data := source.read(1 << 20):
        write_all(descriptor, data)


def _pack(roots: Roots, asked: CompressFiles, output: Place, file: IO[bytes], packed: dict[str, int]) -> None:
    allowance, names = Allowance(), set[str]()
    with ExitStack() as stack:
        add = _zipper(stack, file, asked) if asked.format == "zip" else _tarrer(stack, file, asked)
        for source in _sources(roots, asked, output, allowance):
            if source.name in names:
                raise ToolFailure(f"Two of the paths have the name {source.name}.")
            names.add(source.name)
            data = _contents(source, allowance)
            add(source, data)
            packed["files"] += source.descriptor is not None
            packed["bytes"] += len(data)


def _contents(source: _Source, allowance: Allowance) -> bytes:
    if source.descriptor is None:
        return b""
    allowance.bytes(source.status.st_size)
    with os.fdopen(os.dup(source.descriptor), "rb") as file:
        return file.read(min(source.status.st_size, MOST_BYTES))


def _sources(roots: Roots, asked: CompressFiles, output: Place, allowance: Allowance) -> Iterator[_Source]:
    patterns = tuple(asked.exclude_patterns)
    for path in asked.paths:
        place = roots.place(path)
        base = place.root.joinpath(*place.parts).name
        if place.parts and (found := _file(roots, place)):
            if place != output:
                yield from _opened(roots, place, base, found)
            continue
        depth = len(place.parts)
        for each in walk(roots, place, allowance):
            way = each.place.parts[depth:]
            ways = [way[: length + 1] for length in range(len(way))]
            if each.place == output or any(excluded(part, patterns) for part in ways):
                continue
            if each.is_directory:
                yield _Source("/".join((base, *way)), each.status, None)
            elif each.is_file and not each.name.endswith(".part"):
                yield from _opened(roots, each.place, "/".join((base, *way)), each.status)


def _file(roots: Roots, place: Place) -> os.stat_result | None:
    """None for a directory. Raises ToolFailure."""
    with roots.directory(place.parent) as parent:
        found = roots.look(parent, place.name)
    if found is None:
        raise ToolFailure(f"{place.shown} does not exist.")
    return None if stat.S_ISDIR(found.st_mode) else found


def _opened(roots: Roots, place: Place, name: str, status: os.stat_result) -> Iterator[_Source]:
    with roots.file(place) as descriptor:
        yield _Source(name, status, descriptor)


def _zipper(stack: ExitStack, file: IO[bytes], asked: CompressFiles) -> Add:
    level = asked.compression_level
    archive = stack.enter_context(zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level))

    def add(source: _Source, data: bytes) -> None:
        moment = time.gmtime(max(source.status.st_mtime, _OLDEST))[:6]
        info = zipfile.ZipInfo(source.name + ("/" if source.descriptor is None else ""), moment)
        info.external_attr = (source.status.st_mode & 0xFFFF) << 16
        info.compress_type = zipfile.ZIP_STORED if source.descriptor is None else zipfile.ZIP_DEFLATED
        archive.writestr(info, data, compresslevel=level)

    return add


def _tarrer(stack: ExitStack, file: IO[bytes], asked: CompressFiles) -> Add:
    packer = stack.enter_context(_packer(file, asked))
    archive = stack.enter_context(tarfile.TarFile(fileobj=packer, mode="w"))

    def add(source: _Source, data: bytes) -> None:
        info = tarfile.TarInfo(source.name)
        info.mtime, info.mode = int(source.status.st_mtime), source.status.st_mode & 0o777
        info.size, info.type = len(data), tarfile.DIRTYPE if source.descriptor is None else tarfile.REGTYPE
        archive.addfile(info, io.BytesIO(data))

    return add


def _packer(file: IO[bytes], asked: CompressFiles) -> Any:
    level = asked.compression_level
    match asked.format:
        case "tar.gz":
            return gzip.GzipFile(fileobj=file, mode="wb", compresslevel=level, mtime=0)
        case "tar.bz2":
            return bz2.BZ2File(file, "wb", compresslevel=max(level, 1))
        case _:
            return file
