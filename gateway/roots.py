"""The directories that tools may see, and the one way into them: component by component, each opened beneath the one
before it and never through a symbolic link. So what was checked is what is used, also while somebody exchanges
directories for links."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.arguments import ToolFailure

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)  # Windows has none of them, and is refused
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_DIRECTORY = os.O_RDONLY | _FOLDER | _NO_LINK
_FILE = _NO_LINK | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would block
_LONGEST = 4_096
_SAFE = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
NO_ROOTS = (
    "No directory is open to this tool. The user of the proxy can open one in its configuration file, for example:\n"
    '[mcp.fast_filesystem]\nroots = ["/home/me/project"]'
)
READ_ONLY = (
    "The directories are open for reading only. The user of the proxy can allow writing in its configuration file:\n"
    "[mcp.fast_filesystem]\nwritable = true"
)


class Place(msgspec.Struct, frozen=True):
    """Something beneath a root, by the names on the way to it; none of them is `..`."""

    root: Path
    parts: tuple[str, ...]

    @property
    def shown(self) -> str:
        return str(self.root.joinpath(*self.parts))

    @property
    def name(self) -> str:
        """Raises ToolFailure for a root: that is not ours to make, move or delete."""
        if not self.parts:
            raise ToolFailure(f"{self.root} is a root: this cannot be done with it.")
        return self.parts[-1]

    @property
    def parent(self) -> "Place":
        return Place(self.root, self.parts[:-1])

    def below(self, *names: str) -> "Place":
        return Place(self.root, (*self.parts, *names))

    def holds(self, other: "Place") -> bool:
        """Whether `other` is this or lies in it, also where one root lies in another."""
        own, others = (*self.root.parts, *self.parts), (*other.root.parts, *other.parts)
        return others[: len(own)] == own


class Roots:
    """`hidden` are files and directories that stay closed although they lie in a root: the proxy's own data."""

    def __init__(self, roots: Sequence[Path], *, writable: bool = False, hidden: Sequence[Path] = ()) -> None:
        self.paths = tuple(Path(os.path.abspath(root.expanduser())) for root in roots)
        self.writable = writable
        self._hidden = tuple(hidden)
        self._spelled = [(path, spelled) for path in self.paths for spelled in {path, path.resolve()}]
        self._spelled.sort(key=lambda pair: -len(pair[1].parts))  # the innermost first

    def place(self, path: str) -> Place:
        """Where a path leads, by its text alone; a relative one begins at the first root. Raises ToolFailure."""
        if not self.paths:
            raise ToolFailure(NO_ROOTS)
        if not _SAFE:
            raise ToolFailure("This system has no safe way to open files beneath a directory: the tool is off.")
        parts = _parts(path)
        if not path.startswith("/"):
            return Place(self.paths[0], parts)
        for root, spelled in self._spelled:
            names = spelled.parts[1:]
            if parts[: len(names)] == names:
                return Place(root, parts[len(names) :])
        raise ToolFailure(f"{_short(path)} is outside the open directories: {', '.join(map(str, self.paths))}.")

    def for_writing(self, path: str) -> Place:
        """Raises ToolFailure, also where nothing may be written."""
        place = self.place(path)
        if not self.writable:
            raise ToolFailure(READ_ONLY)
        return place

    @contextmanager
    def directory(self, place: Place, *, create: bool = False) -> Iterator[int]:
        """A descriptor of the directory. Raises ToolFailure."""
        descriptor = self._root(place.root)
        try:
            for depth, name in enumerate(place.parts, 1):
                inner = self._step(descriptor, name, Place(place.root, place.parts[:depth]), create)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def file(self, place: Place) -> Iterator[int]:
        """A descriptor of the regular file, for reading. Raises ToolFailure."""
        with self.directory(place.parent) as parent:
            descriptor = self.open_at(parent, place.name, place)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def open_at(self, parent: int, name: str, place: Place, flags: int = os.O_RDONLY) -> int:
        """The regular file `name` in an open directory. Raises ToolFailure; the caller closes it."""
        try:
            descriptor = os.open(name, flags | _FILE, dir_fd=parent)
        except OSError as error:
            raise failure(error, place) from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ToolFailure(f"{place.shown} is not a regular file.")
            self._refuse_hidden(descriptor, place)
        except ToolFailure:
            os.close(descriptor)
            raise
        return descriptor

    def enter(self, parent: int, name: str, place: Place) -> int:
        """The directory `name` in an open directory. Raises ToolFailure; the caller closes it."""
        try:
            descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        except OSError as error:
            raise failure(error, place) from None
        try:
            self._refuse_hidden(descriptor, place)
        except ToolFailure:
            os.close(descriptor)
            raise
        return descriptor

    def look(self, parent: int, name: str) -> os.stat_result | None:
        """What stands under a name, without following it; None for nothing, and for what is hidden."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        return None if (found.st_dev, found.st_ino) in self._identities() else found

    def touches_hidden(self, place: Place) -> bool:
        """Whether what is hidden is this or lies in it."""
        real = place.root.resolve().joinpath(*place.parts)
        return any(real == hidden or real in hidden.parents for hidden in (path.resolve() for path in self._hidden))

    def _root(self, root: Path) -> int:
        real = root.resolve()
        if any(real.is_relative_to(hidden.resolve()) for hidden in self._hidden):
            raise ToolFailure(f"{root} belongs to the proxy itself and stays closed.")
        try:
            return os.open(root, os.O_RDONLY | _FOLDER)
        except OSError as error:
            raise failure(error, Place(root, ())) from None

    def _step(self, parent: int, name: str, place: Place, create: bool) -> int:
        if create:
            make_directory(parent, name, place)
        return self.enter(parent, name, place)

    def _refuse_hidden(self, descriptor: int, place: Place) -> None:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) in self._identities():
            raise ToolFailure(f"{place.shown} belongs to the proxy itself and stays closed.")

    def _identities(self) -> set[tuple[int, int]]:
        found = set()
        for path in self._hidden:
            try:
                status = path.stat()
            except OSError:
                continue
            found.add((status.st_dev, status.st_ino))
        return found


def make_directory(parent: int, name: str, place: Place) -> bool:
    """Whether it was not there. Raises ToolFailure."""
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise failure(error, place) from None
    return True


def failure(error: OSError, place: Place) -> ToolFailure:
    """An error of the system in words."""
    match error.errno:
        case errno.ENOENT:
            text = "does not exist"
        case errno.ELOOP:
            text = "is a symbolic link: these are not followed"
        case errno.ENOTDIR:
            text = "is not a directory, or is a symbolic link: these are not followed"
        case errno.EISDIR:
            text = "is a directory"
        case errno.EEXIST:
            text = "exists already"
        case errno.ENOTEMPTY:
            text = "is not empty"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            text = "is not open to this user"
        case errno.ENOSPC | errno.EDQUOT:
            text = "does not fit on the disk"
        case errno.ENAMETOOLONG:
            text = "has too long a name"
        case _:
            text = f"cannot be used ({os.strerror(error.errno or 0)})"
    return ToolFailure(f"{place.shown} {text}.")


def _parts(path: str) -> tuple[str, ...]:
    if not path or len(path) > _LONGEST:
        raise ToolFailure(f"A path has 1 to {_LONGEST} characters.")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in path):
        raise ToolFailure("A path must be text without NUL.")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise ToolFailure(f"{_short(path)} has a `..`: write the path without it.")
    return parts


def _short(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:200]}..."
