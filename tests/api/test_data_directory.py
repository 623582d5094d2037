"""Whose the data directory is, and what a start does to its mode."""

import logging
import stat
import sys
from pathlib import Path

import pytest

from api.cli_output import UsageError
from api.data_directory import prepare_directory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def made(path: Path, bits: int, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).touch()
    path.chmod(bits)
    return path


def test_a_new_one_is_its_owners_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepare_directory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
    prepare_directory(tmp_path / "a" / "b")
    assert not caplog.records


@pytest.mark.parametrize("names", [(), ("notes.txt",), ("events.sqlite", "keys.sqlite", "notes.txt")])
def test_one_that_was_there_keeps_its_mode_and_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: tuple[str, ...]
) -> None:
    path = made(tmp_path / "there", 0o755, *names)
    prepare_directory(path)
    assert mode(path) == 0o755
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "mode 755" in record.getMessage() and str(path) in record.getMessage()


def test_our_own_is_closed_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ("events.sqlite", "events.sqlite-wal", "keys.sqlite", "keys.format-1.sqlite", "read.sqlite", "lock")
    path = made(tmp_path / "ours", 0o755, *names, "read.new.sqlite", "memory-vectors.sqlite", "before-restore-2026")
    prepare_directory(path)
    assert mode(path) == 0o700 and not caplog.records


def test_one_that_is_closed_already_is_nobodys_business(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = made(tmp_path / "home", 0o500, "notes.txt")
    prepare_directory(path)
    assert mode(path) == 0o500 and not caplog.records


def test_everybodys_directory_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "tmp", 0o1777, "events.sqlite", "something")
    with pytest.raises(UsageError, match="something"):
        prepare_directory(path)
    assert mode(path) == 0o1777


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        prepare_directory(tmp_path / "file")
