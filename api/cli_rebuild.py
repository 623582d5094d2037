"""`chronoproxy rebuild`: the read tables anew from the log."""

import argparse
import time
from pathlib import Path

from api.cli_output import json_line, line, progress
from api.cli_places import data_directory
from api.cli_server import ask
from projections.catalogue import PROJECTIONS
from projections.rebuilding import PoisonedRebuildError, build, checksum_text, checksums, new_path, put_in_place
from projections.store import open_store, reached
from schema.appends import StoreUnavailableError
from schema.keys import KeyStore
from schema.lock import DirectoryLock, DirectoryLockedError
from schema.log import EventLog
from schema.standing import standing

_OK, _DIFFERENT = 0, 1
_SAID = {
    None: "there were no tables of this position to compare with",
    True: "the tables are the same as before",
    False: "the tables are not the same as before",
}


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where the tables of the same position were not the same. A running server does it itself.

    Raises UsageError where the server cannot be asked, StoreUnavailableError where the tables cannot be made.
    """
    directory = data_directory(arguments)
    try:
        with DirectoryLock(directory):
            return _rebuild(arguments, directory)
    except DirectoryLockedError as error:
        return _by_server(arguments, str(error))


def _by_server(arguments: argparse.Namespace, locked: str) -> int:
    fields = ask(arguments, locked, "/api/projections/rebuild", {"wait": True})
    if arguments.json:
        json_line(fields, indent=2)
    else:
        took = f"{fields['events']:,} events applied in {fields['duration_ms']:,} ms by the server"
        line(f"{took}; {_SAID[fields['equal']]}")
    return _OK if fields["equal"] else _DIFFERENT


def _rebuild(arguments: argparse.Namespace, directory: Path) -> int:
    path, begun = directory / "read.sqlite", time.monotonic()
    found = standing(directory, seen=reached(path))
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    try:
        _require_a_log(path, log)
        before = _checksums_before(path, log)
        built = build(new_path(path), PROJECTIONS, log, progress("rebuilding"))
        put_in_place(built.path, path)
    except PoisonedRebuildError as error:
        raise StoreUnavailableError(f"the read tables cannot be made of its log: {error}") from None
    finally:
        log.close()
        keys.close()
    after = checksums(path)
    equal = None if before is None else before == after
    changed = sorted(name for name in after if before is not None and before.get(name) != after[name])
    took_ms = round((time.monotonic() - begun) * 1_000)
    if arguments.json:  # as the server answers
        result = {"names": [each.name for each in PROJECTIONS], "events": built.position, "duration_ms": took_ms}
        sums = {"checksum_before": checksum_text(before) if before else None, "checksum_after": checksum_text(after)}
        json_line({**result, "equal": equal, **sums}, indent=2)
    else:
        line(f"{built.position:,} events applied in {took_ms:,} ms; {_SAID[equal]}")
        for name in changed:
            line(f"  changed: {name}")
        for text in found.told():
            line(text)
    return _DIFFERENT if equal is False else _OK


def _require_a_log(path: Path, log: EventLog) -> None:
    """Tables of events are not emptied because their log is. Raises StoreUnavailableError."""
    seen = reached(path)
    if seen is not None and not log.head():
        text = f"its log holds no event, its read tables had reached event {seen.position:,}"
        raise StoreUnavailableError(f"{text}: put events.sqlite and keys.sqlite back from a backup")


def _checksums_before(path: Path, log: EventLog) -> dict[str, str] | None:
    """Of tables that stand at the head of the log; None of others, which could not be the same."""
    seen = reached(path)
    if seen is None or seen.position > log.head():
        return None
    store = open_store(path, PROJECTIONS, log)
    store.close()
    return checksums(path) if set(store.positions.values()) == {log.head()} else None
