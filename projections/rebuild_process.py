"""The read tables made anew in a process of its own: `python -m projections.rebuild_process DIRECTORY`.

In a thread beside a busy server each row waits for the interpreter lock, a million of them for a quarter of an hour,
and the server waits for each row. The two talk in lines. To stdout goes one JSON document a line, which is one of the
kinds below. From stdin comes one line, when the tables in use are as far as the new ones: compare them now. The end of
stdin is the end of the server, and of this.
"""

import gc
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from projections.catalogue import PROJECTIONS
from projections.rebuilding import Comparison, PoisonedRebuildError, build, catch_up, compare, new_path
from schema.keys import KeyStore
from schema.log import EventLog


class Applied(msgspec.Struct, frozen=True, tag=True):
    """So many events of so many."""

    done: int
    total: int


class Built(msgspec.Struct, frozen=True, tag=True):
    """The new file holds everything up to `position`."""

    position: int


class Compared(msgspec.Struct, frozen=True, tag=True):
    """What was found; the new file was brought up to `position` afterwards."""

    found: Comparison
    position: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """`poisoned`: a projection stopped at an event. Else the log or the disk failed."""

    poisoned: bool
    text: str


Said = Applied | Built | Compared | Failed


def rebuild(directory: Path, wait: Callable[[], object], say: Callable[[Said], None]) -> None:
    """`wait` returns when the tables in use may be compared. Failures are said."""
    path = directory / "read.sqlite"
    keys = KeyStore(directory / "keys.sqlite", read_only=True)
    log = EventLog(directory / "events.sqlite", keys, read_only=True)
    try:
        built = build(new_path(path), PROJECTIONS, log, lambda done, total: say(Applied(done, total)))
        say(Built(built.position))
        wait()
        found, head = compare(built, path, PROJECTIONS, log), log.head()
        catch_up(built.path, PROJECTIONS, log, head)
        say(Compared(found, head))
    except PoisonedRebuildError as error:
        say(Failed(True, str(error)))
    except (sqlite3.Error, OSError) as error:
        say(Failed(False, str(error)))
    finally:
        log.close()
        keys.close()


def main() -> None:
    gc.disable()  # events and rows hold no cycles, and there are millions of them
    told = threading.Event()
    threading.Thread(target=_listen, args=(told,), daemon=True).start()
    rebuild(Path(sys.argv[1]), told.wait, _say)


def _listen(told: threading.Event) -> None:
    """Reads the descriptor itself: a lock on `sys.stdin` that this thread held would be in the way of the end."""
    while os.read(0, 1_024):
        told.set()
    os._exit(1)


def _say(said: Said) -> None:
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
