"""Whether the two files of a data directory belong together, asked before anything is written to it.

Each remembers the other: the log holds what only the keys can open, and keys.sqlite notes the log's last event. A
server that began a new log beside old keys would give numbers a second time, one that made new keys beside an old log
would lock out the old ones.
"""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from schema.keys import MIGRATIONS as KEY_MIGRATIONS
from schema.keys import NotedHead
from schema.locked_out import why_not_served
from schema.lost_keys import lost_keys
from schema.migrations import Migration, format_of, read_only_uri
from schema.named_secrets import lost_secrets
from schema.recorder import MIGRATIONS
from schema.sealing import opens
from schema.workspace import RecordingGap

_LOG, _KEYS = "events.sqlite", "keys.sqlite"
_TRIED = 16  # sealed parts, the oldest and the newest: one that was changed must not speak for all
_NAMED = 20
_LAST = "SELECT position, timestamp FROM events ORDER BY position DESC LIMIT 1"
_SEALED = (
    "SELECT session_id, sealed FROM events WHERE sealed IS NOT NULL"
    " AND session_id IN (SELECT value FROM json_each(?)) ORDER BY position {} LIMIT ?"
)


class UnfitDirectoryError(Exception):
    """The files are not what belongs together; nothing was changed. The message says what can be done."""


class LostEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The log once reached the event `noted`, which is not in it; it ends at `head`, an event of the time `since` (ms
    since the epoch). Where `noted` is not behind the head, its end was written anew."""

    head: int
    since: int
    noted: NotedHead

    def told(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.noted.noted_at / 1_000))
        if self.noted.position <= self.head:
            return f"event {self.noted.position:,}, the log's last one on {when} UTC, is not in it: another is there"
        span = f"events {self.head + 1:,} to {self.noted.position:,}, which were there on {when} UTC,"
        return f"{span} are not in the log: lost with the power, or its end was cut off"

    def gap(self) -> RecordingGap | None:
        """What the log says of it from now on."""
        lost = self.noted.position - self.head
        if lost <= 0:
            return None
        to = max(self.since, self.noted.noted_at)
        return RecordingGap(from_=self.since, to=to, count=lost, upto=self.noted.position)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is missing, where a server can go on all the same. `lost_keys` are sessions, `lost_secrets` names."""

    lost_keys: tuple[int, ...] = ()
    lost_secrets: tuple[str, ...] = ()
    lost_end: LostEnd | None = None

    def told(self) -> list[str]:
        said = [self.lost_end.told()] if self.lost_end is not None else []
        if self.lost_keys:
            named = ", ".join(map(str, self.lost_keys[:_NAMED]))
            more = f" and {len(self.lost_keys) - _NAMED:,} more" if len(self.lost_keys) > _NAMED else ""
            text = "their contents cannot be read, and nothing can be added"
            said.append(
                f"the keys of sessions {named}{more} are missing from {_KEYS}: {text}; put it back from a backup, or"
                " erase these sessions"
            )
        if self.lost_secrets:
            text = "clients and repeated requests from before are not recognised; put it back from a backup"
            said.append(f"the secrets for {', '.join(self.lost_secrets)} are not in {_KEYS} as they were made: {text}")
        return said


class _Memory(msgspec.Struct, frozen=True):
    """What keys.sqlite holds."""

    keys: dict[int, bytes] = {}
    secrets: dict[str, bytes] = {}
    heads: Sequence[NotedHead] = ()


def standing(directory: Path, *, seen: NotedHead | None = None, without_keys: bool = False) -> Standing:
    """`seen` is an event that something else remembers as the log's last one. `without_keys` accepts that no key is
    there. Raises UnfitDirectoryError and sqlite3.Error."""
    if why_not_served(directory) is not None:
        return Standing()
    with _opened(directory / _KEYS, KEY_MIGRATIONS) as db:
        memory = _remembered(db)
    with _opened(directory / _LOG, MIGRATIONS) as db:
        row = db.execute(_LAST).fetchone() if db is not None else None
        if db is None or row is None:
            _require_new(directory, memory)
            return Standing()
        opened = _opens_any(db, memory.keys)
        lost = lost_keys(db, memory.keys)
        gone = [head for head in memory.heads if not head.missing and not _holds(db, head)]
        other = opened is False or (opened is None and any(head.position <= row[0] for head in gone))
        _require_own(directory, other=other, keyless=opened is None and bool(lost) and not without_keys)
        if seen is not None and seen.position > row[0]:
            gone.append(seen)
        last = max(gone, key=lambda head: head.position, default=None)
        end = LostEnd(head=row[0], since=row[1], noted=last) if last is not None else None
        return Standing(lost_keys=lost, lost_secrets=lost_secrets(db, memory.secrets), lost_end=end)


def require_log(directory: Path) -> None:
    """For who only reads. Raises UnfitDirectoryError where the log holds nothing and its keys know that it did, and
    sqlite3.Error."""
    if why_not_served(directory) is not None:
        return
    with _opened(directory / _KEYS, KEY_MIGRATIONS) as db:
        memory = _remembered(db)
    with _opened(directory / _LOG, MIGRATIONS) as db:
        if db is None or db.execute(_LAST).fetchone() is None:
            _require_new(directory, memory)


def _require_new(directory: Path, memory: _Memory) -> None:
    """A log begins only where none was. Raises UnfitDirectoryError."""
    last = max((head.position for head in memory.heads), default=0)
    if not last and not memory.keys:
        return
    known = f"up to event {last:,}" if last else f"with the contents of {len(memory.keys):,} sessions"
    raise UnfitDirectoryError(
        f"{_how(directory / _LOG)}, but {_KEYS} knows a log {known}: a new one would give its numbers a second time."
        f" Put {_LOG} back from a backup (chronoproxy restore), or move {directory} away to begin anew"
    )


def _require_own(directory: Path, *, other: bool, keyless: bool) -> None:
    """Raises UnfitDirectoryError where the keys are those of another log, or not there."""
    path = directory / _KEYS
    if other:
        raise UnfitDirectoryError(
            f"{_KEYS} belongs to another log: it opens no contents of {_LOG}, or notes another last event. Put the one"
            " that belongs to it back from a backup (chronoproxy restore)"
        )
    if keyless:
        how = _how(path) if not path.exists() or not path.stat().st_size else f"{_KEYS} holds none of its keys"
        raise UnfitDirectoryError(
            f"{how}: the contents of {_LOG} cannot be read without them. Put {_KEYS} back from a backup (chronoproxy"
            " restore); `serve --without-keys` goes on without these contents"
        )


def _how(path: Path) -> str:
    return f"{path.name} is {'missing' if not path.exists() else 'empty'}"


def _opens_any(db: sqlite3.Connection, keys: dict[int, bytes]) -> bool | None:
    """Whether any of these keys opens something of the log; None where nothing is sealed with one of them."""
    held = json.dumps(list(keys))
    tried = [row for order in ("ASC", "DESC") for row in db.execute(_SEALED.format(order), (held, _TRIED))]
    return any(opens(keys[number], bytes(sealed)) for number, sealed in tried) if tried else None


def _holds(db: sqlite3.Connection, head: NotedHead) -> bool:
    row = db.execute("SELECT hash FROM events WHERE position = ?", (head.position,)).fetchone()
    return row is not None and bytes(row[0]) == head.hash


def _remembered(db: sqlite3.Connection | None) -> _Memory:
    if db is None:
        return _Memory()
    keys = {number: bytes(key) for number, key in db.execute("SELECT session_id, key FROM session_keys")}
    secrets = {name: bytes(value) for name, value in db.execute("SELECT name, value FROM secrets")}
    rows = db.execute("SELECT position, hash, noted_at, missing FROM heads").fetchall()
    return _Memory(keys, secrets, [NotedHead(row[0], bytes(row[1]), row[2], bool(row[3])) for row in rows])


@contextmanager
def _opened(path: Path, steps: Collection[Migration]) -> Iterator[sqlite3.Connection | None]:
    """The file for reading; None where it is not there, empty, or of a format that whoever opens it will refuse."""
    if not path.is_file():
        yield None
        return
    with closing(sqlite3.connect(read_only_uri(path), uri=True)) as db:
        yield db if 0 < format_of(db) <= len(steps) else None
