"""Proxies that begin with the program imported: forked, each a process of its own, from one that did nothing else.

Importing takes most of the CPU of a start, and the tests start hundreds. Tests of the start itself, and of what a
whole process shows or leaves behind, do not use it (`ProxyProcess(fresh=True)`).
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import IO

from api.cli import main

# numpy, where it is installed, would start threads with the first import; a process that is forked should have one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.e2e.nursery_imports"])


class Fledgling:
    """What tests use of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess, stdout: IO[str]) -> None:
        self._process, self.stdout = process, stdout

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended already
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """The exit code, below 0 for a signal. Raises TimeoutError."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"process {self.pid} did not end within {timeout} s")
        return self._process.exitcode


def fledge(arguments: Sequence[str], environment: Mapping[str, str], directory: Path, stderr: Path) -> Fledgling:
    """Run the command line in a new process; its standard output can be read."""
    reading, writing = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(
        target=_run, args=(list(arguments), dict(environment), str(directory), str(stderr), writing), daemon=True
    )
    process.start()
    writing.close()
    stdout = os.fdopen(os.dup(reading.fileno()), "r", encoding="utf-8")
    reading.close()
    return Fledgling(process, stdout)


def _run(arguments: list[str], environment: dict[str, str], directory: str, stderr: str, stdout: Connection) -> None:
    """As if the process had been started so; runs in the child."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    for number, opened in (
        (0, os.open(os.devnull, os.O_RDONLY)),
        (1, stdout.fileno()),
        (2, os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)),
    ):
        os.dup2(opened, number)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(arguments))
