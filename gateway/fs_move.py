"""Copying, moving and deleting, alone and several at once."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import Allowance
from gateway.fs_copy import Copied, Copier, remove_file, remove_tree
from gateway.fs_read import Path
from gateway.fs_write import backup, existing
from gateway.roots import Place, Roots, failure


class CopyFile(msgspec.Struct, frozen=True, kw_only=True):
    source: Path
    destination: Path
    overwrite: bool = False
    preserve_timestamps: bool = True
    recursive: bool = True
    create_dirs: bool = True


class MoveFile(msgspec.Struct, frozen=True, kw_only=True):
    source: Path
    destination: Path
    overwrite: bool = False
    create_dirs: bool = True
    backup_if_exists: bool = False


class DeleteFile(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    recursive: Annotated[bool, msgspec.Meta(description="Also a directory that is not empty.")] = False
    force: Annotated[bool, msgspec.Meta(description="Also a read-only file; nothing there is no error.")] = False
    backup_before_delete: bool = False
    confirm_delete: Annotated[bool, msgspec.Meta(description="Must be true.")] = True


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    operation: Literal["copy", "move", "delete", "rename"]
    source: Path
    destination: Annotated[str | None, msgspec.Meta(description="Of rename: a name, in the same directory.")] = None
    overwrite: bool = False


class BatchOperations(msgspec.Struct, frozen=True, kw_only=True):
    operations: Annotated[list[Operation], msgspec.Meta(min_length=1, max_length=200)]
    stop_on_error: bool = True
    dry_run: Annotated[bool, msgspec.Meta(description="Say what would be done.")] = False
    create_backup: Annotated[bool, msgspec.Meta(description="Keep what is overwritten or deleted.")] = False


def copy_file(roots: Roots, asked: CopyFile) -> Mapping[str, Any]:
    roots.for_writing(asked.destination)
    with _two(roots, asked.source, asked.destination, asked.create_dirs) as (parent, source, target_parent, target):
        copier = Copier(roots, Allowance(), overwrite=asked.overwrite, times=asked.preserve_timestamps)
        if not stat.S_ISDIR(_there(roots, parent, source).st_mode):
            copier.file(parent, source, target_parent, target)
        elif not asked.recursive:
            raise ToolFailure(f"{source.shown} is a directory: allow recursive.")
        else:
            _apart(source, target)
            copier.tree(parent, source, target_parent, target)
    return {"source": source.shown, "destination": target.shown, **_counts(copier.copied)}


def move_file(roots: Roots, asked: MoveFile) -> Mapping[str, Any]:
    roots.for_writing(asked.source)
    with _two(roots, asked.source, asked.destination, asked.create_dirs) as (parent, source, target_parent, target):
        is_directory = stat.S_ISDIR(_there(roots, parent, source).st_mode)
        _apart(source, target)
        _ours(roots, source)
        kept = _way_free(roots, target_parent, target, asked)
        try:
            os.rename(source.name, target.name, src_dir_fd=parent, dst_dir_fd=target_parent)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise failure(error, target) from None
            _across(roots, parent, source, target_parent, target, is_directory)
    return {"source": source.shown, "destination": target.shown, "backup": kept}


def delete_file(roots: Roots, asked: DeleteFile) -> Mapping[str, Any]:
    place = roots.for_writing(asked.path)
    if not asked.confirm_delete:
        raise ToolFailure("Nothing was deleted: confirm_delete must be true.")
    with roots.directory(place.parent) as parent:
        found = roots.look(parent, place.name)
        if found is None and asked.force and not roots.touches_hidden(place):
            return {"path": place.shown, "deleted": 0, "backup": None}
        found = _there(roots, parent, place)
        _ours(roots, place)
        if not asked.force and stat.S_ISREG(found.st_mode) and not found.st_mode & stat.S_IWUSR:
            raise ToolFailure(f"{place.shown} is read-only: allow force.")
        kept = _kept(roots, parent, place, found) if asked.backup_before_delete else None
        if not stat.S_ISDIR(found.st_mode):
            remove_file(parent, place)
            return {"path": place.shown, "deleted": 1, "backup": kept}
        deleted = _delete_directory(roots, parent, place, asked.recursive)
    return {"path": place.shown, "deleted": deleted, "backup": kept}


def batch(roots: Roots, asked: BatchOperations) -> Mapping[str, Any]:
    results: list[dict[str, Any]] = []
    for number, operation in enumerate(asked.operations):
        about = {"index": number, "operation": operation.operation, "source": operation.source}
        try:
            done = _checked(roots, operation) if asked.dry_run else _done(roots, operation, asked.create_backup)
            results.append({**about, "success": True, **done})
        except ToolFailure as error:
            results.append({**about, "success": False, "error": str(error)})
            if asked.stop_on_error:
                break
    failed = sum(not result["success"] for result in results)
    return {
        "results": results,
        "done": len(results) - failed,
        "failed": failed,
        "not_tried": len(asked.operations) - len(results),
        "dry_run": asked.dry_run,
    }


def _done(roots: Roots, operation: Operation, kept: bool) -> Mapping[str, Any]:
    if operation.operation == "delete":
        path = operation.source
        return delete_file(roots, DeleteFile(path=path, recursive=True, backup_before_delete=kept))
    destination = _destination(roots, operation)
    if operation.operation == "copy":
        saved = _saved(roots, destination) if kept and operation.overwrite else None
        asked = CopyFile(source=operation.source, destination=destination, overwrite=operation.overwrite)
        return {**copy_file(roots, asked), "backup": saved}
    move = MoveFile(
        source=operation.source,
        destination=destination,
        overwrite=operation.overwrite,
        backup_if_exists=kept and operation.overwrite,
    )
    return move_file(roots, move)


def _checked(roots: Roots, operation: Operation) -> Mapping[str, Any]:
    """What can be said before it is done. Raises ToolFailure."""
    source = roots.for_writing(operation.source)
    with roots.directory(source.parent) as parent:
        _there(roots, parent, source)
    if operation.operation == "delete":
        return {}
    target = roots.for_writing(_destination(roots, operation))
    with roots.directory(target.parent) as parent:
        if roots.look(parent, target.name) is not None and not operation.overwrite:
            raise ToolFailure(f"{target.shown} exists already: allow overwrite.")
    return {"destination": target.shown}


def _destination(roots: Roots, operation: Operation) -> str:
    if not operation.destination:
        raise ToolFailure(f"{operation.operation} needs a destination.")
    if operation.operation == "rename" and "/" not in operation.destination:
        return roots.place(operation.source).parent.below(operation.destination).shown
    return operation.destination


@contextmanager
def _two(roots: Roots, source: str, target: str, create: bool) -> Iterator[tuple[int, Place, int, Place]]:
    one, other = roots.place(source), roots.for_writing(target)
    with roots.directory(one.parent) as parent:
        _there(roots, parent, one)
        with roots.directory(other.parent, create=create) as target_parent:
            yield parent, one, target_parent, other


def _there(roots: Roots, parent: int, place: Place) -> os.stat_result:
    found = roots.look(parent, place.name)
    if found is None:
        raise ToolFailure(f"{place.shown} does not exist.")
    return found


def _apart(source: Place, target: Place) -> None:
    if source.holds(target):
        raise ToolFailure(f"{target.shown} is {source.shown} or lies in it.")


def _ours(roots: Roots, place: Place) -> None:
    if roots.touches_hidden(place):
        raise ToolFailure(f"{place.shown} holds what belongs to the proxy itself.")


def _way_free(roots: Roots, parent: int, target: Place, asked: MoveFile) -> str | None:
    """The backup of what stood there, if one was asked for. Raises ToolFailure."""
    if existing(roots, parent, target) is None:
        return None
    if asked.backup_if_exists:
        return backup(roots, parent, target)
    if not asked.overwrite:
        raise ToolFailure(f"{target.shown} exists already: allow overwrite.")
    return None


def _across(roots: Roots, parent: int, source: Place, target_parent: int, target: Place, is_directory: bool) -> None:
    """To another file system: copied, then taken away."""
    copier = Copier(roots, Allowance(), overwrite=True, times=True)
    if is_directory:
        copier.tree(parent, source, target_parent, target)
        remove_tree(roots, parent, source, Allowance())
    else:
        copier.file(parent, source, target_parent, target)
        remove_file(parent, source)


def _delete_directory(roots: Roots, parent: int, place: Place, recursive: bool) -> int:
    if recursive:
        return remove_tree(roots, parent, place, Allowance())
    try:
        os.rmdir(place.name, dir_fd=parent)
    except OSError as error:
        note = " Allow recursive." if error.errno == errno.ENOTEMPTY else ""
        raise ToolFailure(f"{failure(error, place)}{note}") from None
    return 1


def _kept(roots: Roots, parent: int, place: Place, found: os.stat_result) -> str | None:
    """A copy beside it. Raises ToolFailure."""
    if stat.S_ISREG(found.st_mode):
        return backup(roots, parent, place)
    if not stat.S_ISDIR(found.st_mode):
        return None
    for number in range(1, 1_000):
        copy = place.parent.below(f"{place.name}.backup.{number}")
        if roots.look(parent, copy.name) is None:
            Copier(roots, Allowance(), overwrite=False, times=True).tree(parent, place, parent, copy)
            return copy.shown
    raise ToolFailure(f"{place.shown} has 1,000 backups already: take some away.")


def _saved(roots: Roots, destination: str) -> str | None:
    place = roots.for_writing(destination)
    with roots.directory(place.parent) as parent:
        return backup(roots, parent, place) if existing(roots, parent, place) is not None else None


def _counts(copied: Copied) -> dict[str, int]:
    return {name: getattr(copied, name) for name in copied.__struct_fields__}
