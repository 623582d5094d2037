"""The data directory at a start: made for its owner alone, or taken as it is (docs/operations.md)."""

import logging
import os
import re
import stat
import sys
from pathlib import Path

from api.cli_output import UsageError

_OTHERS, _EVERYBODY_WRITES = 0o077, 0o002
_OURS = re.compile(
    r"(events|keys|read|memory-vectors)(\.format-\d+|\.new)?(\.sqlite)?(-wal|-shm|-journal)?(\.part)?"
    r"|lock|cannot-be-served|backup\.json|before-restore-\w+"
)

_log = logging.getLogger("chronoproxy")


def prepare_directory(path: Path) -> None:
    """Make the data directory, readable by its owner alone. One that was there keeps its mode, with a warning where
    others may look into it, unless it holds our files and nothing else. Raises UsageError for one that is everybody's,
    and OSError."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        if sys.platform != "win32":
            _take(path)
        return
    if sys.platform != "win32":
        path.chmod(0o700)  # whatever the umask


def _take(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & _OTHERS:
        return
    names = os.listdir(path)
    foreign = sorted(name for name in names if _OURS.fullmatch(name) is None)
    if foreign and mode & _EVERYBODY_WRITES:
        raise UsageError(
            f"{path} is open to everybody and holds other things, such as {foreign[0]}: "
            f"name a directory of its own, such as {path / 'chronoproxy'}"
        )
    if "events.sqlite" in names and not foreign and _closed(path):
        return
    _log.warning(
        "data directory: others may look into %s (mode %03o), which was there before and stays as it is; "
        "the files in it are for this user alone. chmod 700 closes it",
        path,
        mode,
    )


def _closed(path: Path) -> bool:
    try:
        path.chmod(0o700)
    except PermissionError:  # it is somebody else's
        return False
    return True
