"""Whether the log is what was written: every stored value is in a hash, and each hash in the next.

Re-derives the hash chain from what a read returns, counts positions and versions, compares blobs with the sha256 in
their events, opens what is sealed, and looks for the last event that was noted in keys.sqlite. What was erased is no
problem: the chain covers ciphertexts, and keys and blobs may be gone where the log says that their session was erased.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from schema.beside import beside_the_keys, beside_the_log
from schema.erased import erased_sessions
from schema.keys import NotedHead
from schema.locked_out import why_not_served
from schema.log import EventLog
from schema.migrations import read_only_uri
from schema.named_secrets import named_secrets
from schema.recorder import COLUMNS, GENESIS, chain_hash, parts_of
from schema.sealing import SealError
from schema.unreadable import NO_UTF8, UNDECODABLE, escaped

MAX_PROBLEMS = 100
_BATCH = 5_000
Progressed = Callable[[int, int], None]


class Problem(msgspec.Struct, frozen=True):
    """`kind`: damaged_file, missing_event, changed_event, wrong_version, changed_blob, missing_blob, stray_blob,
    missing_key, changed_key, changed_secret, unopened, unreadable_event, missing_head, missing_note, changed_shape,
    changed_idempotency."""

    position: int | None
    kind: str
    text: str


class Verification(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Shape of GET /api/log/verify; `problems` holds the first hundred of `problems_total`."""

    ok: bool
    from_: int
    to: int
    checked: int
    head_hash: str
    first_bad_position: int | None
    erased_sessions: int
    duration_ms: int
    problems: list[Problem]
    problems_total: int


class EmptyRangeError(ValueError):
    """No event of the log is in the range, so that nothing could be said of it; the message says why."""


class Verifier:
    """Checks the events from `first` to `last`, which defaults to the head, and what stands beside the events."""

    def __init__(
        self, log: EventLog, *, first: int = 1, last: int | None = None, heads: list[NotedHead] | None = None
    ) -> None:
        self._log = log
        self._first, self._last = max(first, 1), last
        self._keyless = why_not_served(log.path.parent) is not None  # it came without all of its keys
        self._heads = log.keys.noted_heads() if heads is None else heads
        self._problems: list[Problem] = []
        self._total = 0
        self._bad: int | None = None
        self._versions: dict[str, int] = {}
        self._held: dict[int, bool] = {}  # whether there is a key, of the sessions asked for
        self._erased: frozenset[int] = frozenset()
        self._unreadable: set[int] = set()
        self._checked = 0
        self._hash = GENESIS

    def run(self, progressed: Progressed = lambda done, total: None) -> Verification:
        """Check everything; `progressed` is told positions now and then. Raises EmptyRangeError."""
        begun = time.perf_counter()
        last = 0
        try:
            with closing(_reading(self._log.path)) as db, closing(_reading(self._log.keys.path)) as keys:
                last = self._range_end(db)
                self._check_events(db, keys, last, progressed)
                self._check_heads(db)
                self._check_begun(db, keys)
                named = () if self._keyless else named_secrets(db)
                for finding in (*beside_the_log(db), *beside_the_keys(keys, named)):
                    self._note(*finding)
                self._check_pages(db, "events.sqlite")
                self._check_pages(keys, "keys.sqlite")
        except sqlite3.DatabaseError as error:
            self._note(None, "damaged_file", f"the files cannot be read: {error}")
        return Verification(
            ok=not self._total,
            from_=self._first,
            to=last,
            checked=self._checked,
            head_hash=self._hash.hex(),
            first_bad_position=self._bad,
            erased_sessions=len(self._unreadable),
            duration_ms=round((time.perf_counter() - begun) * 1_000),
            problems=self._problems,
            problems_total=self._total,
        )

    def _range_end(self, db: sqlite3.Connection) -> int:
        head = int(db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0])
        if self._first > max(head, 1):
            raise EmptyRangeError(f"there is no event {self._first:,}: the log ends at event {head:,}")
        if self._last is not None and self._last < self._first:
            raise EmptyRangeError(
                f"no event is from {self._first:,} to {self._last:,}: the last one is before the first"
            )
        return head if self._last is None else min(self._last, head)

    def _check_events(
        self, db: sqlite3.Connection, keys: sqlite3.Connection, last: int, progressed: Progressed
    ) -> None:
        self._erased = erased_sessions(db)
        before = db.execute("SELECT hash FROM events WHERE position = ?", (self._first - 1,)).fetchone()
        self._hash = bytes(before[0]) if before else GENESIS
        expected = self._first
        for row in _rows(db, self._first, last):
            position = row["position"]
            if position != expected:
                self._note(expected, "missing_event", f"event {expected} is missing: the next one is {position}")
            self._check(row)
            self._check_contents(row, db, keys)
            expected = position + 1
            self._checked += 1
            if position % _BATCH == 0:
                progressed(position - self._first, last - self._first + 1)

    def _check(self, row: sqlite3.Row) -> None:
        position, prev = row["position"], bytes(row["prev_hash"])
        digest = chain_hash(prev, position, (row["stream"], row["version"], row["type"]), parts_of(row))
        if digest != bytes(row["hash"]):
            self._note(position, "changed_event", f"event {position}: its stored values do not give its hash")
        if prev != self._hash:
            text = f"event {position} does not follow from the hash of the event before it"
            self._note(position, "changed_event", text)
        self._hash = bytes(row["hash"])
        self._check_version(row)

    def _check_version(self, row: sqlite3.Row) -> None:
        stream, version = row["stream"], row["version"]
        known = self._versions.get(stream)
        if known is None and self._first == 1:
            known = 0
        if known is not None and version != known + 1:
            text = f"event {row['position']} has version {version} of {stream}, not {known + 1}"
            self._note(row["position"], "wrong_version", text)
        self._versions[stream] = version

    def _check_contents(self, row: sqlite3.Row, db: sqlite3.Connection, keys: sqlite3.Connection) -> None:
        position, session_id, stored = row["position"], row["session_id"], row["blob"]
        try:
            event = self._log.recorded(row).event
        except SealError:
            self._note(position, "unopened", f"event {position}: its sealed part does not open under its session's key")
            return
        except UNDECODABLE as error:
            self._note(position, "unreadable_event", f"event {position} cannot be read: {type(error).__name__}")
            return
        blob = getattr(event, "blob", None)
        if blob is None and stored is not None:
            self._note(position, "stray_blob", f"there are contents for event {position}, which has none")
        if (blob is None and row["sealed"] is None) or session_id is None:
            return
        gone = not self._has_key(session_id, position, db, keys)
        if blob is None:
            return
        if stored is None:
            if not gone or not (self._keyless or session_id in self._erased):
                self._note(position, "missing_blob", f"the contents of event {position} are gone, though not erased")
        elif hashlib.sha256(stored).hexdigest() != blob.sha256:
            self._note(position, "changed_blob", f"the contents of event {position} were changed")
        elif row["blob_session"] != session_id:
            self._note(position, "changed_blob", f"the contents of event {position} are said to be of another session")

    def _has_key(self, session_id: int, position: int, db: sqlite3.Connection, keys: sqlite3.Connection) -> bool:
        """Asked of the file, not of what is in memory; told of once for a session."""
        held = self._held.get(session_id)
        if held is None:
            query = "SELECT 1 FROM session_keys WHERE session_id = ?"
            held = self._held[session_id] = keys.execute(query, (session_id,)).fetchone() is not None
            if not held:
                self._erased = erased_sessions(db)  # it may have been erased since
                self._unreadable.add(session_id)
                if not self._keyless and session_id not in self._erased:
                    text = f"the key of session {session_id} is missing, though the session was not erased"
                    self._note(position, "missing_key", text)
        return held

    def _check_heads(self, db: sqlite3.Connection) -> None:
        (end,) = db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
        for head in self._heads:
            row = db.execute("SELECT hash FROM events WHERE position = ?", (head.position,)).fetchone()
            if row is None or bytes(row[0]) != head.hash:
                text = f"{_seen(head)} is not in the log: its end was cut off, or lost with the power, or it is another"
                self._note(head.position, "missing_head", text)
                self._first_bad(min(head.position, end + 1))  # all behind the end are missing, not only the noted one

    def _check_begun(self, db: sqlite3.Connection, keys: sqlite3.Connection) -> None:
        """Keys are made for events: where no event is left of them, and none was noted, they miss it."""
        if self._heads or db.execute("SELECT 1 FROM events LIMIT 1").fetchone():
            return
        (known,) = keys.execute("SELECT count(*) FROM session_keys").fetchone()
        if known:
            text = f"no event is in the log, but keys.sqlite knows one with the contents of {known:,} sessions"
            self._note(1, "missing_event", text)

    def _check_pages(self, db: sqlite3.Connection, name: str) -> None:
        for row in db.execute("PRAGMA integrity_check(10)"):
            if row[0] != "ok":
                self._note(None, "damaged_file", f"{name}: {row[0]}")

    def _note(self, position: int | None, kind: str, text: str) -> None:
        self._total += 1
        if position is not None:
            self._first_bad(position)
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(position, kind, text))

    def _first_bad(self, position: int) -> None:
        self._bad = position if self._bad is None else min(self._bad, position)


def _reading(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(read_only_uri(path), uri=True, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def _seen(head: NotedHead) -> str:
    if not head.noted_at:
        return f"event {head.position} with the hash that was given"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(head.noted_at / 1_000))
    return f"event {head.position}, the last one on {when} UTC,"


def _rows(db: sqlite3.Connection, first: int, last: int) -> Iterator[sqlite3.Row]:
    """In batches, so that no read transaction holds back a running server's checkpoints."""
    columns = ", ".join(f"events.{name.strip()}" for name in COLUMNS.split(","))
    query = (
        f"SELECT {columns}, blobs.data AS blob, blobs.session_id AS blob_session"
        " FROM events LEFT JOIN blobs USING (position)"
        " WHERE events.position >= ? AND events.position <= ? ORDER BY events.position LIMIT ?"
    )
    while rows := _batch(db, query, first, last):
        yield from rows
        first = rows[-1]["position"] + 1


def _batch(db: sqlite3.Connection, query: str, first: int, last: int) -> list[sqlite3.Row]:
    try:
        return db.execute(query, (first, last, _BATCH)).fetchall()
    except sqlite3.OperationalError as error:
        if NO_UTF8 not in str(error):
            raise
    db.text_factory = escaped
    try:
        return db.execute(query, (first, last, _BATCH)).fetchall()
    finally:
        db.text_factory = str
