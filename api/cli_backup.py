"""`chronoproxy backup` and `chronoproxy restore`."""

import argparse
import sqlite3
import time
from pathlib import Path

import msgspec

from api.cli_output import UsageError, json_line, line
from api.cli_places import configuration_of, data_directory
from schema.backup import BackupError, back_up, examine, head_of, take_back
from schema.lock import DirectoryLock

_OK, _DIFFERENT = 0, 1


def back(arguments: argparse.Namespace) -> int:
    """Copy the log and its keys, also under a running server. Raises UsageError."""
    directory, target = data_directory(arguments), Path(arguments.target)
    try:
        found = back_up(directory, target)
    except BackupError as error:
        raise UsageError(str(error)) from None
    result = {"target": str(target), "head": found.to, "hash": found.head_hash, "ok": found.ok}
    if arguments.json:
        json_line(result, indent=2)
    else:
        state = "verified" if found.ok else f"with {found.problems_total:,} problems, as the log itself has them"
        line(f"events up to {found.to:,} copied to {target}, {state}")
        line(f"keep this elsewhere: --head {found.to}:{found.head_hash}")
    return _OK if found.ok else _DIFFERENT


def restore(arguments: argparse.Namespace) -> int:
    """Take a copy back. Raises UsageError, also where a log is there whose later events would be lost."""
    backup = Path(arguments.backup)
    directory = Path(arguments.data_dir or configuration_of(arguments).data_dir)
    try:
        found = examine(backup)
    except BackupError as error:
        raise UsageError(str(error)) from None
    if not found.ok:
        if arguments.json:
            json_line(msgspec.to_builtins(found), indent=2)
        else:
            line(f"{backup} is not what was written: {found.problems_total:,} problems; nothing was changed")
        return _DIFFERENT
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with DirectoryLock(directory):
        held = _held(directory)
        if held is not None and not arguments.accept_head:
            text = f"{directory} holds {held}, the copy ends at event {found.to:,}"
            raise UsageError(f"{text}; say --accept-head to put it in the place of that one")
        aside = directory / f"before-restore-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        take_back(backup, directory, aside)
    kept = str(aside) if aside.exists() else None
    if arguments.json:
        json_line({"data_dir": str(directory), "head": found.to, "hash": found.head_hash, "aside": kept}, indent=2)
    else:
        line(f"{directory} holds the log up to event {found.to:,}")
        if kept is not None:
            line(f"what was there is in {kept}: it still holds everything, delete it when it is not needed")
    return _OK


def _held(directory: Path) -> str | None:
    """What a copy would take the place of, None where nothing is there."""
    try:
        head = head_of(directory)
    except sqlite3.Error:
        return "a log that cannot be read"
    return None if head is None else f"a log up to event {head:,}"
