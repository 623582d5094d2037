"""Going through directories beneath a root: sorted, bounded, never through a link."""

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import DEEPEST, Allowance
from gateway.roots import Place, Roots


class Found(msgspec.Struct, frozen=True):
    """An entry of a directory that is open while it is looked at: `parent` is its descriptor."""

    place: Place
    parent: int
    status: os.stat_result
    depth: int

    @property
    def name(self) -> str:
        return self.place.parts[-1]

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)


def entries(roots: Roots, parent: int, place: Place, allowance: Allowance, *, depth: int = 1) -> list[Found]:
    """What a directory holds, by name; without what is hidden, and what has no name in text. Raises ToolFailure."""
    names = []
    with os.scandir(parent) as scan:
        for entry in scan:
            allowance.entry()
            names.append(entry.name)
    found = []
    for name in sorted(names):
        status = roots.look(parent, name)
        if status is not None and not any("\ud800" <= character <= "\udfff" for character in name):
            found.append(Found(place.below(name), parent, status, depth))
    return found


def walk(
    roots: Roots, place: Place, allowance: Allowance, *, hidden: bool = True, deepest: int = DEEPEST
) -> Iterator[Found]:
    """All that lies in a directory, each directory before what it holds. A directory that goes away, or that is closed
    to us, is passed over. Raises ToolFailure where the first one cannot be opened, and ExhaustedError."""
    with roots.directory(place) as descriptor:
        yield from _below(roots, descriptor, place, allowance, hidden, 1, min(deepest, DEEPEST))


def _below(
    roots: Roots, parent: int, place: Place, allowance: Allowance, hidden: bool, depth: int, deepest: int
) -> Iterator[Found]:
    for found in entries(roots, parent, place, allowance, depth=depth):
        if not hidden and found.name.startswith("."):
            continue
        yield found
        if not found.is_directory or depth >= deepest:
            continue
        try:
            inner = roots.enter(parent, found.name, found.place)
        except ToolFailure:
            continue
        try:
            yield from _below(roots, inner, found.place, allowance, hidden, depth + 1, deepest)
        finally:
            os.close(inner)


def kind_of(status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "directory"
    if stat.S_ISREG(status.st_mode):
        return "file"
    return "symlink" if stat.S_ISLNK(status.st_mode) else "other"


def matches(name: str, pattern: str | None, *, case: bool = False) -> bool:
    """A name against a pattern with `*`, `?` and `[...]`; several are parted by commas. Without wildcards it is a part
    of the name."""
    if not pattern:
        return True
    for each in pattern.split(","):
        one, other = (name, each.strip()) if case else (name.casefold(), each.strip().casefold())
        if any(mark in other for mark in "*?["):
            if fnmatchcase(one, other):
                return True
        elif other and other in one:
            return True
    return False


def excluded(relative: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Whether a name on the way, or the way itself, fits one of the patterns."""
    ways = ("/".join(relative), *relative)
    return any(fnmatchcase(way, pattern.rstrip("/")) for pattern in patterns for way in ways)
