"""Files for their owner alone, whatever the mode of their directory."""

import contextlib
import os
import sys
from pathlib import Path

_OTHERS = 0o077
_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite makes gets the mode of its database


def make_private(path: Path) -> None:
    """Create the file where it is not there; one that is there, with what SQLite keeps beside it, is closed to others.
    Where that is not possible, whoever opens it next is told why.

    What is there is not opened: to close a file of a process drops all locks that the process has on it.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if sys.platform == "win32":
        return
    for suffix in _BESIDE:
        _close_to_others(path.with_name(path.name + suffix))


def _close_to_others(path: Path) -> None:
    with contextlib.suppress(OSError):  # it is not there, or somebody else's
        mode = path.stat().st_mode
        if mode & _OTHERS:
            path.chmod(mode & 0o7777 & ~_OTHERS)
