"""Runs a program that must not outlive the proxy: `launcher.py PID PROGRAM ARGUMENT...`, on Linux.

The kernel kills the program when the process PID, which started this one, ends: also by a signal that it cannot handle.
A program of its own, without imports of ours, because it runs in the place of the server's.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Becomes `command`. Ends with 127 where that cannot be run."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was faster
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
