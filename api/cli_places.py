"""Which data directory a command works on, and its log opened for reading."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.cli_output import UsageError
from api.configuration import Configuration, Overrides, load
from schema.keys import KeyStore
from schema.log import EventLog
from schema.standing import require_log


def configuration_of(arguments: argparse.Namespace) -> Configuration:
    """Raises ConfigurationError."""
    return load(arguments.config, Overrides(data_dir=arguments.data_dir), os.environ)


def data_directory(arguments: argparse.Namespace) -> Path:
    """A directory that holds a log. Raises UsageError and ConfigurationError."""
    directory = arguments.data_dir or configuration_of(arguments).data_dir
    if not (directory / "events.sqlite").is_file():
        raise UsageError(f"there is no event log in {directory}; name its directory with --data-dir")
    return Path(directory)


@contextmanager
def reading(arguments: argparse.Namespace, *, whole: bool = True) -> Iterator[EventLog]:
    """The log, whether or not a server writes to it. Nothing is written. Raises UsageError, and UnfitDirectoryError for
    a log that was emptied; not where `whole` is no matter."""
    directory = data_directory(arguments)
    if not (directory / "keys.sqlite").is_file():
        raise UsageError(f"there is no keys.sqlite in {directory}: the log cannot be read without its keys")
    if whole:
        require_log(directory)
    keys = KeyStore(directory / "keys.sqlite", read_only=True)
    try:
        log = EventLog(directory / "events.sqlite", keys, read_only=True)
        try:
            yield log
        finally:
            log.close()
    finally:
        keys.close()
