"""One process owns a data directory: with real processes."""

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schema.lock import DirectoryLock, DirectoryLockedError

HOLD = """
import sys
from pathlib import Path
from schema.lock import DirectoryLock
with DirectoryLock(Path(sys.argv[1])) as lock:
    if len(sys.argv) > 2:
        lock.note(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(directory: Path, *note: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock until its standard input ends."""
    arguments = [sys.executable, "-c", HOLD, str(directory), *note]
    root = Path(__file__).parents[2]
    with subprocess.Popen(arguments, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_the_first(tmp_path: Path) -> None:
    with holder(tmp_path) as process, pytest.raises(DirectoryLockedError) as refused:
        DirectoryLock(tmp_path)
    assert str(refused.value) == f"{tmp_path} is in use by process {process.pid}"


def test_the_owner_may_say_where_it_listens(tmp_path: Path) -> None:
    with holder(tmp_path, "process 1 at http://127.0.0.1:9"), pytest.raises(DirectoryLockedError, match="http"):
        DirectoryLock(tmp_path)


def test_being_refused_changes_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        for _ in range(2):
            with pytest.raises(DirectoryLockedError, match=f"process {process.pid}$"):
                DirectoryLock(tmp_path)


def test_the_lock_is_free_when_its_owner_ended(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.communicate()
        DirectoryLock(tmp_path).close()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_the_lock_is_free_after_kill_9(tmp_path: Path) -> None:
    with holder(tmp_path, "a long address that a shorter one must not leave parts of") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with DirectoryLock(tmp_path):
            assert (tmp_path / "lock").read_bytes() == b"\0" + f"process {os.getpid()}".encode()


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path), pytest.raises(DirectoryLockedError, match=f"process {os.getpid()}"):
        DirectoryLock(tmp_path)
    DirectoryLock(tmp_path).close()


@pytest.mark.skipif(sys.platform == "win32", reason="what is open cannot be deleted")
def test_the_lock_outlives_its_file(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        for _ in range(2):
            (tmp_path / "lock").unlink(missing_ok=True)
            with pytest.raises(DirectoryLockedError, match="another process"):
                DirectoryLock(tmp_path)
        process.communicate()
        DirectoryLock(tmp_path).close()


def test_a_file_system_that_locks_no_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock

    def on_files(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", on_files)
    with DirectoryLock(tmp_path), pytest.raises(DirectoryLockedError, match=f"process {os.getpid()}"):
        DirectoryLock(tmp_path)
    DirectoryLock(tmp_path).close()


def test_a_file_that_cannot_be_made_is_not_in_use(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(OSError, match="lock"):
        DirectoryLock(tmp_path)


def test_an_owner_that_left_no_name_is_another_process(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path):
        (tmp_path / "lock").write_bytes(b"")
        with pytest.raises(DirectoryLockedError, match="another process"):
            DirectoryLock(tmp_path)


def test_directories_are_locked_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with DirectoryLock(tmp_path), DirectoryLock(tmp_path / "other"):
        pass
