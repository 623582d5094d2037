"""Runs a program that must not outlive the proxy, nor may what it starts: `launcher.py PID PROGRAM ARGUMENT...`, on
Linux.

It stays as the program's parent, because the kernel tells a process only of its own parent's end, and programs are
often started by others in between (npx, a shell). Whatever loses its parent becomes a child of this one, also where it
has left the group. All of them are killed when the process PID, which started this one, has ended, also by a signal
that it could not handle; when that sends SIGUSR1; and soon after the program itself has ended. SIGTERM goes on to the
program's group. This one then ends as the program did.

A program of its own, without imports of ours, so that it costs little.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_KILL_ALL = signal.SIGUSR1
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_HEARD = {signal.SIGCHLD, _KILL_ALL, *_PASSED_ON}  # what the program sends to its group is no matter of ours
_LAST_S = 0.2  # what the program leaves behind has this time to end by itself
_GRACE_S = 2.0  # and this where it was asked to end
_AGAIN_S = 0.05


class Launcher:
    """What runs in place of the program, for the process `parent`."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._program = 0
        self._status: int | None = None
        self._grace_s, self._until = _LAST_S, 0.0

    def run(self, command: list[str]) -> int:
        """Until nothing is left; the program's exit code, below 0 that of a signal. 127: it cannot be run."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _prctl(_PR_SET_PDEATHSIG, _KILL_ALL)
        if os.getppid() != self._parent:  # it was faster
            return 1
        own = os.getpid()
        self._program = os.fork()
        if self._program == 0:
            _become(command, own, before)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):  # so that the program alone has the ends of the pipes
            os.dup2(nothing, number)
        while not self._over():
            self._hear()
        return os.waitstatus_to_exitcode(self._status) if self._status is not None else 1

    def _hear(self) -> None:
        """Wait for a signal, no longer than what is left behind may stay."""
        if self._status is None:
            heard = signal.sigwaitinfo(_HEARD)
        else:
            waited = signal.sigtimedwait(_HEARD, max(self._until - time.monotonic(), 0.0))
            if waited is None:
                self._kill_all()
                return
            heard = waited
        if heard.si_signo in _PASSED_ON:
            if not _of_our_group(heard.si_pid):  # which has sent it to all of the group, as this one does
                self._grace_s = _GRACE_S
                self._pass_on(heard.si_signo)
        elif heard.si_signo == _KILL_ALL and (heard.si_pid == self._parent or os.getppid() != self._parent):
            self._kill_all()

    def _pass_on(self, number: int) -> None:
        os.killpg(0, number)
        try:
            if self._status is None and os.getpgid(self._program) != os.getpgrp():
                os.kill(self._program, number)
        except OSError:
            return

    def _over(self) -> bool:
        """Whether nothing is left of those that have ended and their parents."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._program:
                    self._status, self._until = ended[1], time.monotonic() + self._grace_s
        except ChildProcessError:
            return True
        return False

    def _kill_all(self) -> None:
        """Those whose parents go this way become children of ours, until there are none."""
        while not self._over():
            for pid in _children():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue
            signal.sigtimedwait({signal.SIGCHLD}, _AGAIN_S)


def end_like(code: int) -> NoReturn:
    """As the program has ended, so that the proxy can tell."""
    if code < 0:
        _prctl(_PR_SET_DUMPABLE, 0)  # one core is enough
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _become(command: list[str], parent: int, mask: Iterable[int]) -> NoReturn:
    """In the new process; the kernel ends it where this one is killed itself."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python does not hear
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode("utf-8", "surrogateescape"))
        os._exit(127)


def _children() -> Iterator[int]:
    own = str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = file.read().rpartition(b")")[2].split()[1]
            except OSError:
                continue
            if parent.decode() == own:
                yield int(name)


def _of_our_group(pid: int) -> bool:
    try:
        return pid > 0 and os.getpgid(pid) == os.getpgrp()
    except OSError:
        return False


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    end_like(Launcher(int(sys.argv[1])).run(sys.argv[2:]))
