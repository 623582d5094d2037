"""A copy of the log and its keys that is whole at one event, made while a server writes, and its way back.

The log is copied first, its keys behind it: a key is committed before the first event that needs it, so every event of
the copy has its key there, unless it was destroyed in between. The read tables are not copied: they are made anew.
"""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from schema.keys import KeyStore
from schema.locked_out import carry_over
from schema.log import EventLog
from schema.migrations import read_only_uri
from schema.private import make_private
from schema.standing import require_log
from schema.verification import Verification, Verifier

NAMES = ("events.sqlite", "keys.sqlite")
MANIFEST = "backup.json"
_OF_A_COPY = re.compile(r"(events|keys)\.sqlite(\.part)?(-journal|-wal|-shm)?|cannot-be-served|backup\.json\.part")


class BackupError(Exception):
    """A copy cannot be made or taken back as it was asked for; the text may be shown."""


class Manifest(msgspec.Struct, frozen=True):
    """The last event of a copy."""

    head: int
    hash: str


def back_up(directory: Path, target: Path) -> Verification:
    """Copy the log of `directory` into a new directory `target`, and verify the copy. Raises BackupError,
    UnfitDirectoryError, OSError and sqlite3.Error."""
    require_log(directory)
    _make_empty(target)
    unfinished = target / f"{MANIFEST}.part"  # there until the copy is whole
    make_private(unfinished)
    for name in NAMES:
        part = target / f"{name}.part"
        make_private(part)  # SQLite takes an empty file for none
        with closing(sqlite3.connect(read_only_uri(directory / name), uri=True, timeout=10)) as db:
            db.execute("VACUUM INTO ?", (str(part),))
        _write_out(part)
        part.replace(target / name)
    carry_over(directory, target)
    found = _settled(target)
    manifest = msgspec.json.encode(Manifest(found.to, found.head_hash))
    unfinished.write_bytes(manifest)
    unfinished.replace(target / MANIFEST)
    return found


def examine(backup: Path) -> Verification:
    """Whether a copy is what was written. Raises BackupError and sqlite3.Error."""
    for name in NAMES:
        if not (backup / name).is_file():
            raise BackupError(f"there is no {name} in {backup}")
    keys = KeyStore(backup / NAMES[1], read_only=True)
    log = EventLog(backup / NAMES[0], keys, read_only=True)
    try:
        return Verifier(log, first=1, last=None, heads=keys.noted_heads()).run(lambda done, total: None)
    finally:
        log.close()
        keys.close()


def head_of(directory: Path) -> int | None:
    """The last event of the log that a directory holds, None where it holds none. Raises sqlite3.Error where it cannot
    be read."""
    path = directory / NAMES[0]
    if not path.is_file() or not path.stat().st_size:
        return None
    with closing(sqlite3.connect(read_only_uri(path), uri=True)) as db:
        row = db.execute("SELECT max(position) FROM events").fetchone()
    return int(row[0] or 0)


def take_back(backup: Path, directory: Path, aside: Path) -> None:
    """Put a copy in the place of what `directory` holds, which goes to `aside`. Nobody may have it open. Raises
    OSError."""
    old = [path for path in directory.glob("*.sqlite*") if path.is_file()]
    if old:
        aside.mkdir(mode=0o700)
    for path in old:
        path.replace(aside / path.name)
    carry_over(backup, directory)
    for name in reversed(NAMES):  # without its log a directory is empty, without keys a log is not readable
        part = directory / f"{name}.part"
        make_private(part)
        shutil.copyfile(backup / name, part)
        _write_out(part)
        part.replace(directory / name)


def _make_empty(target: Path) -> None:
    """Raises BackupError."""
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = {path.name for path in target.iterdir()}
    except OSError as error:
        raise BackupError(f"{target} cannot be used: {error.strerror}") from None
    if there:
        raise BackupError(_why_not(target, there))


def _why_not(target: Path, there: set[str]) -> str:
    half = any(name.endswith(".part") for name in there) and all(_OF_A_COPY.fullmatch(name) for name in there)
    text = "holds a backup that was broken off, which can be deleted: delete it, or name another directory"
    return f"{target} {text if half else 'is not empty'}"


def _settled(target: Path) -> Verification:
    """The copy remembers its own last event, not a later one that its keys were copied with."""
    keys = KeyStore(target / NAMES[1])
    log = EventLog(target / NAMES[0], keys)
    try:
        last = log.at(log.head())
        if last is not None:
            keys.note_head(last.position, bytes.fromhex(last.hash))
        keys.vacuum()
        return Verifier(log, first=1, last=None, heads=keys.noted_heads()).run(lambda done, total: None)
    finally:
        log.close()
        keys.close()


def _write_out(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
