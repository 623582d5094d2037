"""The read tables for a command: brought up to the log's end where no server does that, else read beside it."""

import argparse
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from api.cli_output import UsageError
from api.cli_places import data_directory
from projections import tracking
from projections.catalogue import PROJECTIONS
from projections.rebuilding import PoisonedRebuildError, catch_up
from projections.store import open_store
from schema.appends import StoreUnavailableError
from schema.keys import KeyStore
from schema.lock import DirectoryLock, DirectoryLockedError
from schema.log import EventLog

NAME = "read.sqlite"


@contextlib.contextmanager
def tables(arguments: argparse.Namespace) -> Iterator[tuple[sqlite3.Connection, int]]:
    """A connection that cannot write, and the position of its tables. Raises UsageError."""
    directory = data_directory(arguments)
    with contextlib.suppress(DirectoryLockedError), DirectoryLock(directory):
        bring_up(directory)
    path = directory / NAME
    if not path.is_file():
        raise UsageError(f"there are no read tables in {directory} yet")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
        db.execute("BEGIN")
        yield db, tracking.head(db)


def bring_up(directory: Path) -> None:
    """The directory must be locked. Raises StoreUnavailableError."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    try:
        open_store(directory / NAME, PROJECTIONS, log).close()
        catch_up(directory / NAME, PROJECTIONS, log, log.head())
    except PoisonedRebuildError as error:
        raise StoreUnavailableError(f"the read tables cannot be made of its log: {error}") from None
    finally:
        log.close()
        keys.close()
