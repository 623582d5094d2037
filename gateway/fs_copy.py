"""Copying files and directories beneath the roots."""

import os
import stat

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import DEEPEST, Allowance, ExhaustedError
from gateway.fs_write import copy_bytes, existing, put
from gateway.roots import Place, Roots, failure, make_directory
from gateway.walking import Found, entries


class Copied(msgspec.Struct):
    """What a copy has done; `skipped` are links and the like."""

    files: int = 0
    directories: int = 0
    bytes: int = 0
    skipped: int = 0


class Copier:
    """One copy: of a file, or of a directory with all that is in it."""

    def __init__(self, roots: Roots, allowance: Allowance, *, overwrite: bool, times: bool) -> None:
        self._roots, self._allowance = roots, allowance
        self._overwrite, self._times = overwrite, times
        self.copied = Copied()

    def file(self, parent: int, source: Place, target_parent: int, target: Place) -> None:
        """Raises ToolFailure."""
        if existing(self._roots, target_parent, target) is not None and not self._overwrite:
            raise ToolFailure(f"{target.shown} exists already: allow overwrite.")
        descriptor = self._roots.open_at(parent, source.name, source)
        try:
            status = os.fstat(descriptor)

            def fill(into: int) -> None:
                self.copied.bytes += copy_bytes(descriptor, into, source, self._allowance)
                if self._times:
                    os.utime(into, ns=(status.st_atime_ns, status.st_mtime_ns))

            put(target_parent, target, fill, mode=stat.S_IMODE(status.st_mode) & 0o777)
        finally:
            os.close(descriptor)
        self.copied.files += 1

    def directory(self, source: int, place: Place, target: int, into: Place, depth: int = 1) -> None:
        """All that an open directory holds into another. Raises ToolFailure."""
        if depth > DEEPEST:
            raise ExhaustedError(f"{place.shown} is too deep.")
        for found in entries(self._roots, source, place, self._allowance, depth=depth):
            self._entry(found, target, into.below(found.name), depth)

    def tree(self, parent: int, source: Place, target_parent: int, target: Place, depth: int = 0) -> None:
        """A directory. Raises ToolFailure."""
        inner = self._roots.enter(parent, source.name, source)
        try:
            self.copied.directories += make_directory(target_parent, target.name, target)
            outer = self._roots.enter(target_parent, target.name, target)
            try:
                self.directory(inner, source, outer, target, depth + 1)
            finally:
                os.close(outer)
        finally:
            os.close(inner)

    def _entry(self, found: Found, target: int, into: Place, depth: int) -> None:
        if found.is_directory:
            self.tree(found.parent, found.place, target, into, depth)
        elif found.is_file:
            self.file(found.parent, found.place, target, into)
        else:
            self.copied.skipped += 1


def remove_tree(roots: Roots, parent: int, place: Place, allowance: Allowance, depth: int = 1) -> int:
    """A directory with all that is in it; how many entries. Links are taken away, not what they lead to. Raises
    ToolFailure."""
    if depth > DEEPEST:
        raise ExhaustedError(f"{place.shown} is too deep.")
    descriptor, removed = roots.enter(parent, place.name, place), 0
    try:
        for found in entries(roots, descriptor, place, allowance, depth=depth):
            if found.is_directory:
                removed += remove_tree(roots, descriptor, found.place, allowance, depth + 1)
            else:
                remove_file(descriptor, found.place)
                removed += 1
    finally:
        os.close(descriptor)
    try:
        os.rmdir(place.name, dir_fd=parent)
    except OSError as error:
        raise failure(error, place) from None
    return removed + 1


def remove_file(parent: int, place: Place) -> None:
    try:
        os.unlink(place.name, dir_fd=parent)
    except OSError as error:
        raise failure(error, place) from None
