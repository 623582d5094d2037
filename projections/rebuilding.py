"""Read tables made anew from the log, in a file beside the one in use.

That one goes on serving until the new one takes its place.
"""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from projections import tracking
from projections.applying import Progress, apply_batch
from projections.declaration import Log, Projection
from projections.store import open_store
from schema.recorded import Recorded
from schema.unreadable import Unreadable

_BATCH = 5_000
_CACHE_KIB = 64 << 10
# Events of which the new file goes to the disk, again and again: a gigabyte at the end takes seconds, in which nobody
# else's write reaches the disk either.
_WRITTEN_OUT = 4 * _BATCH
_TABLES = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name"
Progressed = Callable[[int, int], None]


class PoisonedRebuildError(Exception):
    """A projection stopped at an event, or an event cannot be read at all; the message says which and why."""


class Rebuilt(msgspec.Struct, frozen=True):
    """`position` is that of the last event applied."""

    path: Path
    position: int


class Comparison(msgspec.Struct, frozen=True):
    """Of the tables of `position`; `checksums` are those of the new file's."""

    position: int
    equal: bool
    checksums: dict[str, str]


def new_path(path: Path) -> Path:
    """Where the file is built that will take the place of `path`."""
    return path.with_name(f"{path.stem}.new{path.suffix}")


def build(path: Path, projections: Sequence[Projection], log: Log, progressed: Progressed) -> Rebuilt:
    """A complete file at `path` up to the head of the log, on the disk when this returns; what is there is replaced.
    `progressed` is told how many of how many events are applied.

    Raises PoisonedRebuildError, and what the log and the disk raise; then no file is left.
    """
    remove(path)
    try:
        position = _fill(path, projections, log, progressed)
    except BaseException:
        remove(path)
        raise
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return Rebuilt(path, position)


def catch_up(path: Path, projections: Sequence[Projection], log: Log, position: int, *, checked: bool = False) -> None:
    """Apply to the file what it lacks up to `position`; `checked` as in `open_store`. Raises PoisonedRebuildError."""
    store = open_store(path, projections, log, checked=checked)
    with contextlib.closing(store.db):
        progress = [
            Progress(projection, store.positions[projection.name], contents=log.bodies) for projection in projections
        ]
        reached = min(each.position for each in progress)
        while reached < position:
            events = [event for event in log.read(reached, limit=_BATCH) if event.position <= position]
            apply_batch(store.db, progress, events)
            reached = events[-1].position
            _require_whole(progress)


def compare(new: Rebuilt, path: Path, projections: Sequence[Projection], log: Log) -> Comparison:
    """Bring the file `new` to the position of the file in use, which must be at least as far, and compare their tables.

    The one in use may be written to meanwhile: it is read as it was when this began. Raises PoisonedRebuildError.
    """
    with contextlib.closing(_reading(path)) as db:
        db.execute("BEGIN")
        position = tracking.head(db)
        catch_up(new.path, projections, log, position)
        after = checksums(new.path)
        equal = after == _checksums(db)
    _write_back(path)
    return Comparison(position, equal, after)


def put_in_place(new: Path, path: Path) -> None:
    """Make the file `new` the file `path`. Nobody may have either open: their write-ahead logs go by their names."""
    remove(path, main=False)
    new.replace(path)
    remove(new)


def remove(path: Path, *, main: bool = True) -> None:
    """A file of tables with what SQLite keeps beside it."""
    for suffix in ("-wal", "-shm", "-journal", *(("",) if main else ())):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _fill(path: Path, projections: Sequence[Projection], log: Log, progressed: Progressed) -> int:
    store = open_store(path, projections, log)
    # The file is closed behind the database: closing one of a process drops all locks that it has on it.
    with path.open("rb+") as file, contextlib.closing(store.db):
        _hurry(store.db)
        indexes = _without_indexes(store.db)
        progress = [Progress(projection, 0, contents=log.bodies) for projection in projections]
        position = 0
        while events := log.read(position, limit=_BATCH):
            _require_readable(events)
            apply_batch(store.db, progress, events)
            position = events[-1].position
            progressed(position, max(position, log.head()))
            _require_whole(progress)
            if position % _WRITTEN_OUT == 0:
                os.fsync(file.fileno())
        for statement in indexes:
            store.db.execute(statement)
            os.fsync(file.fileno())
        store.db.execute("PRAGMA journal_mode = WAL")
    return position


def _require_whole(progress: Sequence[Progress]) -> None:
    for each in progress:
        if each.error is not None:
            raise PoisonedRebuildError(f"{each.projection.name}: {each.error}")


def _require_readable(events: Sequence[Recorded]) -> None:
    """Tables are made anew to be right. A server that lacks them makes what can be made, and says what is missing."""
    for recorded in events:
        if isinstance(recorded.event, Unreadable):
            raise PoisonedRebuildError(str(recorded.event))


def _hurry(db: sqlite3.Connection) -> None:
    """Nothing is lost with a file that is not complete: it is thrown away."""
    db.execute("PRAGMA journal_mode = MEMORY")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _without_indexes(db: sqlite3.Connection) -> list[str]:
    """Drop the indexes; the statements that make them again. One sorted pass at the end is cheaper than a search for
    every row."""
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in rows:
        db.execute(f"DROP INDEX {name}")
    return [sql for _, sql in rows]


def checksums(path: Path) -> dict[str, str]:
    """A checksum of the rows of each table, whatever their order in the file; without those of tracking."""
    with contextlib.closing(_reading(path)) as db:
        return _checksums(db)


def checksum_text(found: Mapping[str, str]) -> str:
    """The checksums of all tables as one text: TABLE=ROWS:SUM, with commas between them."""
    return ",".join(f"{name}={value}" for name, value in found.items())


def _write_back(path: Path) -> None:
    """What a long read has kept in the write-ahead log goes into the file, while others read and write: the next commit
    would have to do it else, and everybody waits for that one."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _checksums(db: sqlite3.Connection) -> dict[str, str]:
    names = [
        row[0] for row in db.execute(_TABLES)
    ]  # without indexes of texts: their pages depend on the order of writes
    own = (tracking.TABLE, tracking.POSITIONS)
    return {name: _checksum(db, name) for name in names if name not in own and not name.startswith("sqlite")}


def _checksum(db: sqlite3.Connection, table: str) -> str:
    """Sum of the rows' hashes, so that no order has to be made."""
    total = count = 0
    for row in db.execute(f"SELECT * FROM {table}"):
        total += int.from_bytes(_digest(row), "big")
        count += 1
    return f"{count}:{total % (1 << 128):032x}"


def _digest(row: tuple[object, ...]) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(row), digest_size=16).digest()
