"""`chronoproxy log export` and `log import`: a whole log as one file, and back."""

import argparse
import contextlib
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from api.cli_output import UsageError, json_line, line, progress
from api.cli_places import configuration_of, data_directory
from schema.taking import NotEmptyError, take_in
from schema.transfer import Exported, Header, NewerFileError, TransferError, export

_OK, _DIFFERENT = 0, 1
_SEALED = "without their keys its contents cannot be read: say --with-keys to take these along"
_PART = "the contents of other sessions are not in it"


def out(arguments: argparse.Namespace) -> int:
    """Write the log into a file, also under a running server. Raises UsageError."""
    directory, target = data_directory(arguments), Path(arguments.file)
    if not (directory / "keys.sqlite").is_file():
        raise UsageError(f"there is no keys.sqlite in {directory}: the log cannot be read without its keys")
    if target.exists():
        raise UsageError(f"{target} is there already")
    part = target.with_name(f"{target.name}.part")
    try:
        with _opened(part) as file:
            made = export(
                directory, file, progress("exporting"), keys=arguments.with_keys, sessions=arguments.session or None
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except TransferError as error:
        raise UsageError(str(error)) from None
    finally:
        with contextlib.suppress(NotADirectoryError):
            part.unlink(missing_ok=True)
    _tell(arguments, made, target)
    return _OK


def _opened(path: Path) -> BinaryIO:
    """Raises UsageError."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def back(arguments: argparse.Namespace) -> int:
    """Take a file back, into an empty directory. Exit code 1 where it is not what was written. Raises UsageError."""
    directory = Path(arguments.data_dir or configuration_of(arguments).data_dir)
    if not arguments.file.is_file():
        raise UsageError(f"there is no file {arguments.file}")
    try:
        header = take_in(arguments.file, directory, progress("importing"))
    except (NotEmptyError, NewerFileError) as error:
        raise UsageError(str(error)) from None
    except TransferError as error:
        if arguments.json:
            json_line({"ok": False, "error": str(error)}, indent=2)
        else:
            line(f"{arguments.file}: {error}; nothing was changed")
        return _DIFFERENT
    if arguments.json:
        json_line({"ok": True, "data_dir": str(directory), **_fields(header)}, indent=2)
        return _OK
    line(f"{directory} holds the log up to event {header.head:,}, verified")
    if not header.whole:
        line("it can be verified and read, but not served: it came without all of its keys")
    return _OK


def _tell(arguments: argparse.Namespace, made: Exported, target: Path) -> None:
    header, size = made.header, target.stat().st_size
    if arguments.json:
        counts = msgspec.to_builtins(made.counts)
        json_line({"file": str(target), "bytes": size, **_fields(header), **counts}, indent=2)
        return
    line(f"events up to {header.head:,} written to {target}, {size:,} bytes")
    line(f"keep this elsewhere: --head {header.head}:{header.hash}")
    if not header.keys:
        line(_SEALED)
    elif header.sessions is not None:
        line(_PART)


def _fields(header: Header) -> dict[str, object]:
    return {"head": header.head, "hash": header.hash, "keys": header.keys, "whole": header.whole}
