"""How a program is made to end, with all that it has started. On Linux gateway/launcher.py is asked, which knows them
all; elsewhere they are a group of processes."""

import asyncio
import contextlib
import os
import signal
import sys


def ask_to_end(process: asyncio.subprocess.Process) -> None:
    """A SIGTERM for all of them."""
    _sent(process, signal.SIGTERM)


def end_all(process: asyncio.subprocess.Process) -> None:
    """Nobody is asked. On Linux it takes a moment."""
    if sys.platform == "linux":
        _sent(process, signal.SIGUSR1)
    else:
        kill(process)


def kill(process: asyncio.subprocess.Process) -> None:
    """Where all else was of no use."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _sent(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            process.send_signal(number)  # which the launcher passes on
        elif sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, number)
