"""Making one directory like another."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import DEEPEST, Allowance
from gateway.fs_copy import Copier, remove_file, remove_tree
from gateway.fs_read import Path
from gateway.roots import Place, Roots, make_directory
from gateway.walking import Found, entries, excluded, kind_of

_SHOWN = 200


class SyncDirectories(msgspec.Struct, frozen=True, kw_only=True):
    source_dir: Path
    target_dir: Path
    sync_mode: Annotated[
        Literal["mirror", "update", "merge"],
        msgspec.Meta(
            description="update: what is newer or missing; merge: only what is missing; mirror: what differs, and with"
            " delete_extra the target ends up like the source."
        ),
    ] = "update"
    delete_extra: Annotated[bool, msgspec.Meta(description="Of mirror: take away what the source lacks.")] = False
    preserve_newer: Annotated[bool, msgspec.Meta(description="Never replace a file that is newer.")] = True
    dry_run: bool = False
    exclude_patterns: list[str] = []


class _Sync:
    """One run; `todo` is what was done, or would be."""

    def __init__(self, roots: Roots, asked: SyncDirectories) -> None:
        self._roots, self._asked = roots, asked
        self._allowance = Allowance()
        self._copier = Copier(roots, self._allowance, overwrite=True, times=True)
        self.todo: dict[str, list[str]] = {"copied": [], "deleted": [], "kept": [], "skipped": []}

    def directory(self, source: int, place: Place, target: int | None, into: Place, way: tuple[str, ...]) -> None:
        """Raises ToolFailure. `target` is None where a dry run would have made it."""
        if len(way) > DEEPEST:
            raise ToolFailure(f"{place.shown} is too deep.")
        names = set()
        for found in entries(self._roots, source, place, self._allowance):
            names.add(found.name)
            if not excluded((*way, found.name), tuple(self._asked.exclude_patterns)):
                self._entry(found, target, into.below(found.name), (*way, found.name))
        if self._asked.sync_mode == "mirror" and self._asked.delete_extra and target is not None:
            self._delete_others(target, into, names, way)

    def _entry(self, found: Found, target: int | None, into: Place, way: tuple[str, ...]) -> None:
        there = self._roots.look(target, into.name) if target is not None else None
        if found.is_directory:
            self._inner(found, target, into, way)
        elif not found.is_file or self._roots.touches_hidden(into):
            self.todo["skipped"].append(found.place.shown)
        elif there is not None and kind_of(there) != "file":
            raise ToolFailure(f"{into.shown} is no file, and {found.place.shown} is one.")
        elif there is not None and not self._wanted(found.status, there):
            self.todo["kept"].append(into.shown)
        else:
            self.todo["copied"].append(into.shown)
            if not self._asked.dry_run and target is not None:
                self._copier.file(found.parent, found.place, target, into)

    def _inner(self, found: Found, target: int | None, into: Place, way: tuple[str, ...]) -> None:
        source, outer = self._roots.enter(found.parent, found.name, found.place), None
        try:
            if target is not None:
                if not self._asked.dry_run:
                    make_directory(target, into.name, into)
                if self._roots.look(target, into.name) is not None:
                    outer = self._roots.enter(target, into.name, into)
            self.directory(source, found.place, outer, into, way)
        finally:
            os.close(source)
            if outer is not None:
                os.close(outer)

    def _wanted(self, source: os.stat_result, target: os.stat_result) -> bool:
        """Whether a file takes the place of one that is there."""
        newer = target.st_mtime_ns > source.st_mtime_ns
        if self._asked.sync_mode == "merge" or (newer and self._asked.preserve_newer):
            return False
        same = (source.st_size, source.st_mtime_ns) == (target.st_size, target.st_mtime_ns)
        return source.st_mtime_ns > target.st_mtime_ns if self._asked.sync_mode == "update" else not same

    def _delete_others(self, target: int, into: Place, names: set[str], way: tuple[str, ...]) -> None:
        for found in entries(self._roots, target, into, self._allowance):
            if found.name in names or excluded((*way, found.name), tuple(self._asked.exclude_patterns)):
                continue
            if self._roots.touches_hidden(found.place):
                continue
            self.todo["deleted"].append(found.place.shown)
            if self._asked.dry_run:
                continue
            if found.is_directory:
                remove_tree(self._roots, target, found.place, self._allowance)
            else:
                remove_file(target, found.place)


def sync_directories(roots: Roots, asked: SyncDirectories) -> Mapping[str, Any]:
    source, target = roots.place(asked.source_dir), roots.for_writing(asked.target_dir)
    if source.holds(target) or target.holds(source):
        raise ToolFailure("One of the directories is the other or lies in it.")
    if asked.delete_extra and asked.sync_mode != "mirror":
        raise ToolFailure("delete_extra is of sync_mode mirror.")
    sync = _Sync(roots, asked)
    with roots.directory(source) as one:
        try:
            with roots.directory(target, create=not asked.dry_run) as other:
                sync.directory(one, source, other, target, ())
        except ToolFailure:
            if not asked.dry_run or _there(roots, target):
                raise
            sync.directory(one, source, None, target, ())
    return {
        "source": source.shown,
        "target": target.shown,
        "dry_run": asked.dry_run,
        **{f"{name}_count": len(paths) for name, paths in sync.todo.items()},
        **{name: paths[:_SHOWN] for name, paths in sync.todo.items() if paths},
    }


def _there(roots: Roots, place: Place) -> bool:
    try:
        with roots.directory(place):
            return True
    except ToolFailure:
        return False
