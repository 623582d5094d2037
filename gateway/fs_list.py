"""Directories: pages of what they hold, trees, sizes."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import Allowance, ExhaustedError, offset_of, token_of
from gateway.fs_read import Continue, Path, Size, facts
from gateway.roots import NO_ROOTS, Place, Roots
from gateway.walking import Found, entries, matches, walk

_PAGE = 100
_TREE = 5_000
_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_SIZE = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([a-zA-Z]{0,2})\s*")


class ListDirectory(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    page: Size = 1
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1_000)] | None = None
    pattern: Annotated[str | None, msgspec.Meta(description="Names that fit, with * and ?.")] = None
    show_hidden: bool = False
    sort_by: Literal["name", "size", "modified", "type"] = "name"
    reverse: bool = False
    continuation_token: Continue = None
    auto_chunk: Annotated[bool, msgspec.Meta(description="In pages of 100; false: of 1,000.")] = True


class GetDirectoryTree(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    show_hidden: bool = False
    include_files: bool = True


class GetDiskUsage(msgspec.Struct, frozen=True, kw_only=True):
    path: Annotated[str, msgspec.Meta(description="A directory; / stands for all that are open.")] = "/"


class FindLargeFiles(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    min_size: Annotated[str, msgspec.Meta(description="Such as 500KB, 100MB, 1GB.")] = "100MB"
    max_results: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 50


def list_directory(roots: Roots, asked: ListDirectory) -> Mapping[str, Any]:
    place = roots.place(asked.path)
    with roots.directory(place) as descriptor:
        found = entries(roots, descriptor, place, Allowance())
    kept = [
        each
        for each in found
        if (asked.show_hidden or not each.name.startswith(".")) and matches(each.name, asked.pattern)
    ]
    kept.sort(key=_KEYS[asked.sort_by], reverse=asked.reverse)
    about = f"{place.shown}:{asked.sort_by}:{asked.reverse}:{asked.pattern}:{asked.show_hidden}"
    size = asked.page_size or (_PAGE if asked.auto_chunk else 1_000)
    start = offset_of(asked.continuation_token, about) or (asked.page - 1) * size
    end = min(start + size, len(kept))
    return {
        "path": place.shown,
        "items": [{"name": each.name, **facts(each.status)} for each in kept[start:end]],
        "total": len(kept),
        "page": start // size + 1,
        "page_size": size,
        "has_more": end < len(kept),
        **({"continuation_token": token_of(about, end)} if end < len(kept) else {}),
    }


def directory_tree(roots: Roots, asked: GetDirectoryTree) -> Mapping[str, Any]:
    place = roots.place(asked.path)
    tree: dict[str, Any] = {"name": place.root.joinpath(*place.parts).name, "type": "directory", "children": []}
    nodes, count, truncated = {place.parts: tree}, 0, False
    try:
        for found in walk(roots, place, Allowance(), hidden=asked.show_hidden, deepest=asked.max_depth):
            if not (found.is_directory or asked.include_files):
                continue
            if count == _TREE:
                truncated = True
                break
            count += 1
            nodes[found.place.parent.parts]["children"].append(_node(found, nodes))
    except ExhaustedError:
        truncated = True
    return {"path": place.shown, "tree": tree, "entries": count, "truncated": truncated}


def disk_usage(roots: Roots, asked: GetDiskUsage) -> Mapping[str, Any]:
    if not roots.paths:
        raise ToolFailure(NO_ROOTS)
    places = [Place(path, ()) for path in roots.paths] if asked.path == "/" else [roots.place(asked.path)]
    return {"directories": [_usage(roots, place) for place in places]}


def find_large_files(roots: Roots, asked: FindLargeFiles) -> Mapping[str, Any]:
    place, least, truncated = roots.place(asked.path), bytes_of(asked.min_size), False
    files: list[tuple[int, str]] = []
    try:
        for found in walk(roots, place, Allowance()):
            if found.is_file and found.status.st_size >= least:
                files.append((found.status.st_size, found.place.shown))
    except ExhaustedError:
        truncated = True
    files.sort(key=lambda pair: (-pair[0], pair[1]))
    return {
        "path": place.shown,
        "min_size": least,
        "files": [{"path": path, "size": size} for size, path in files[: asked.max_results]],
        "total": len(files),
        "truncated": truncated,
    }


def bytes_of(text: str) -> int:
    """`100MB` in bytes. Raises ToolFailure."""
    found = _SIZE.fullmatch(text[:40])
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ToolFailure(f"{text[:40]!r} is no size; write one like 500KB, 100MB or 1GB.")
    return int(float(found[1]) * unit)


def _usage(roots: Roots, place: Place) -> Mapping[str, Any]:
    files, used, truncated = 0, 0, False
    with roots.directory(place) as descriptor:
        disk = os.fstatvfs(descriptor)
    try:
        for found in walk(roots, place, Allowance()):
            files += found.is_file
            used += found.status.st_size if found.is_file else 0
    except ExhaustedError:
        truncated = True
    return {
        "path": place.shown,
        "files": files,
        "used_bytes": used,
        "truncated": truncated,
        "disk_total_bytes": disk.f_blocks * disk.f_frsize,
        "disk_free_bytes": disk.f_bavail * disk.f_frsize,
    }


def _node(found: Found, nodes: dict[tuple[str, ...], dict[str, Any]]) -> dict[str, Any]:
    kind = "directory" if found.is_directory else "file" if found.is_file else "other"
    node: dict[str, Any] = {"name": found.name, "type": kind}
    if found.is_directory:
        node["children"] = []
        nodes[found.place.parts] = node
    elif found.is_file:
        node["size"] = found.status.st_size
    return node


_KEYS: Mapping[str, Any] = {
    "name": lambda found: found.name,
    "size": lambda found: (found.status.st_size, found.name),
    "modified": lambda found: (found.status.st_mtime_ns, found.name),
    "type": lambda found: (not found.is_directory, os.path.splitext(found.name)[1], found.name),
}
