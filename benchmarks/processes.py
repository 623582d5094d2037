"""Processes under test: started on a core of their own, with CPU time and memory read from the Linux kernel."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_QUIET_NS = 200_000  # less CPU than this in a look means that work has settled
_LOOK_SECONDS = 0.03
_SETTLE_LOOKS = 40


class StartError(Exception):
    """A program under test did not start."""


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Children started inside inherit this core; None leaves everything as it is."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One program under test with its children."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], port: int) -> None:
        self.name, self.port = name, port
        self._popen = popen

    @property
    def pid(self) -> int:
        return self._popen.pid

    def cpu_ns(self) -> int:
        """User and system time of all threads of the process and its children, in nanoseconds."""
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self._pids())

    def peak_mib(self) -> float:
        """Peak resident memory in MiB."""
        return sum(_status_kib(pid, "VmHWM:") for pid in self._pids()) / 1024

    def resident_mib(self) -> float:
        """Resident memory now, in MiB."""
        return sum(_status_kib(pid, "VmRSS:") for pid in self._pids()) / 1024

    async def settle(self) -> None:
        """Wait until what the last requests left to do is done."""
        before = self.cpu_ns()
        for _ in range(_SETTLE_LOOKS):
            await asyncio.sleep(_LOOK_SECONDS)
            now = self.cpu_ns()
            if now - before < _QUIET_NS:
                return
            before = now

    def stop(self) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _pids(self) -> list[int]:
        pid = self._popen.pid
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [pid, *(int(child) for task in tasks for child in task.read_text().split())]


def _status_kib(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def start(name: str, command: Sequence[str], port: int, log: Path, core: int | None) -> Process:
    """Start `command`, wait until `port` accepts. Raises StartError with what the program said."""
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with on_core(core), log.open("wb") as output:
        popen = subprocess.Popen(command, env=plain, stdout=output, stderr=subprocess.STDOUT)
    process = Process(name, popen, port)
    deadline = time.monotonic() + _START_SECONDS
    while not _accepts(port):
        if popen.poll() is not None or time.monotonic() > deadline:
            process.stop()
            raise StartError(f"{name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return process


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
