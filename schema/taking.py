"""Taking an exported log in: into a directory beside the one that is meant, which it becomes when all was checked.

What is half made never stands where somebody looks for a log.
"""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from schema.keys import KeyStore
from schema.locked_out import lock_out
from schema.log import EventLog
from schema.recorder import INSERT, INSERT_BLOB
from schema.transfer import Chain, Header, Progressed, TransferError, header_of, take_key
from schema.verification import Verifier

_BATCH = 5_000


class NotEmptyError(Exception):
    """The directory holds something."""


def take_in(path: Path, directory: Path, progressed: Progressed) -> Header:
    """Make the log that the file `path` holds the log of `directory`, which must be empty or not be there.

    Raises NotEmptyError, TransferError with nothing changed, sqlite3.Error and OSError.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise NotEmptyError(f"{directory} is not empty")
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{directory.name}.importing-", dir=directory.parent))
    try:
        with path.open("rb") as source:
            header = _filled(made, source, progressed)
        os.rename(made, directory)  # an empty directory gives way to it
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return header


def _filled(made: Path, source: BinaryIO, progressed: Progressed) -> Header:
    """Raises TransferError."""
    keys = KeyStore(made / "keys.sqlite")
    try:
        log = EventLog(made / "events.sqlite", keys)
        try:
            header = _events(made, keys, source, progressed)
            if not header.whole:
                lock_out(made)
            found = Verifier(log, heads=keys.noted_heads()).run(progressed)
            if not found.ok:
                raise TransferError(found.problems[0].text)
        finally:
            log.close()
        keys.vacuum()
    finally:
        keys.close()
    return header


def _events(made: Path, keys: KeyStore, source: BinaryIO, progressed: Progressed) -> Header:
    """Raises TransferError."""
    header, lines = header_of(source)
    chain = Chain(header)
    with closing(sqlite3.connect(made / "events.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=OFF")  # what is not complete is thrown away
        db.execute("BEGIN")
        for number, line in lines:
            if "event" not in line:
                take_key(keys, number, line)
                continue
            row, blob = chain.row(number, line)
            db.execute(INSERT, row)
            if blob is not None:
                db.execute(INSERT_BLOB, (chain.position, row[5], blob))
            if chain.position % _BATCH == 0:
                db.execute("COMMIT")
                db.execute("BEGIN")
                progressed(chain.position, header.head)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    chain.finish()
    if header.head:
        keys.note_head(header.head, bytes.fromhex(header.hash))
    _write_out(made / "events.sqlite")
    progressed(header.head, header.head)
    return header


def _write_out(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
