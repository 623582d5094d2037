"""The one writer of events.sqlite: a thread that commits what is waiting as one transaction (group commit).

Facts are committed with synchronous=NORMAL (they survive the death of the process), a group with any durable append
with FULL (it survives power loss). While a commit runs the next group gathers, so nobody lingers to make groups larger.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from schema.appends import Append, Done, Result, Settle, StoreUnavailableError, settle_inline
from schema.checkpoints import Checkpointer
from schema.chores import Chores, Work
from schema.configured_secrets import ConfiguredSecrets
from schema.gaps import Gaps
from schema.group import Group, unstorable
from schema.log import EventLog
from schema.lost_keys import has_contents
from schema.queueing import AppendQueue, Entry
from schema.recorded import Metadata, NewEvent, Recorded
from schema.recorder import Head
from schema.waking import Wake

_log = logging.getLogger("chronoproxy.writer")
BUSY_TIMEOUT_S = 1.0
_RETRY_S = 0.25
_CACHED_VERSIONS = 10_000
_OF_THE_DATA = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
)  # the store works, but not for one of these values

Listener = Callable[[list[Recorded]], None]


class LogWriter:
    """`submit` from any thread. `settle` delivers the results of one commit together, so that an event loop is woken
    once per commit; listeners get the committed events in the writer's thread, in order. `clock` gives nanoseconds
    since the epoch; `busy_timeout_s` is how long a commit waits for a program that holds the log locked; `secrets` are
    not stored."""

    def __init__(
        self,
        log: EventLog,
        *,
        settle: Settle = settle_inline,
        clock: Callable[[], int] = time.time_ns,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        secrets: ConfiguredSecrets | None = None,
    ) -> None:
        self._log = log
        self._mapper = log.mapper(secrets)
        self._settle = settle
        self._clock = clock
        self._queue = AppendQueue()
        self._wake = Wake()
        self._stopping = threading.Event()
        self._versions: dict[str, int] = {}
        self._head: Head | None = None  # what our last commit left: nobody else writes
        self._listeners: list[Listener] = []
        self._synchronous = ""
        self._suspect: Entry | None = None
        self._gaps = Gaps()
        self._chores = Chores()
        self.trouble: str | None = None
        self._db = sqlite3.connect(log.path, isolation_level=None, check_same_thread=False, timeout=busy_timeout_s)
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute("PRAGMA wal_autocheckpoint=0")
        row = self._db.execute("SELECT timestamp FROM events ORDER BY position DESC LIMIT 1").fetchone()
        self._last_timestamp: int = row[0] if row else 0
        self._checkpointer = Checkpointer(log.path, log.keys)
        self._thread = threading.Thread(target=self._run, name="log-writer")

    def start(self) -> None:
        self._checkpointer.start()
        self._thread.start()

    def subscribe(self, listener: Listener) -> None:
        """Call before `start`. A listener must not raise and must not block."""
        self._listeners.append(listener)

    def submit(self, append: Append, done: Done | None = None, *, wake: bool = True) -> None:
        """Queue `append`; without `wake` it rides along with the next group or the next `wake()`.

        `done` gets the result; it is refused at once when the queue is full or closed.
        """
        entry = Entry(append, done, append.weight())
        if not self._queue.offer(entry):
            self._refuse([entry])
        elif wake:
            self._wake.ring()

    def lost(self, count: int) -> None:
        """`count` facts are not even submitted, because what they belong to was refused."""
        self._gaps.lost(count, self._clock() // 1_000_000)

    @property
    def idle(self) -> bool:
        """Whether the log holds all that was submitted and not refused."""
        return self._queue.idle

    def wake(self) -> None:
        """Commit what waits, now."""
        self._wake.ring()

    def between(self, work: Work) -> "Future[None]":
        """Do `work` on the log's connection between two commits, in the writer's thread."""
        done = self._chores.add(work)
        self._wake.ring()
        return done

    def close(self) -> None:
        """Commit what is queued and stop; what cannot be committed is refused."""
        self._queue.close()
        self._stopping.set()
        self._wake.ring()
        if self._thread.ident is not None:
            self._thread.join()
        self._refuse(self._queue.take())
        self._chores.drop()
        self._checkpointer.close()
        self._db.close()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._wake.wait()
            stopping = self._stopping.is_set()
            self._chores.do(self._db)
            while entries := self._queue.take():
                self._commit(entries)

    def _commit(self, entries: list[Entry]) -> None:
        self._last_timestamp = max(self._last_timestamp, self._clock() // 1_000_000)
        group = Group(self._mapper, self._version_of, self._last_timestamp)
        try:
            needed: set[int] = set().union(*(entry.append.session_ids() for entry in entries))
            self._log.sealer.ensure_keys(needed, partial(has_contents, self._db))
            self._write(group, entries)
        except _OF_THE_DATA as error:
            self._single_out(entries, error)
        except sqlite3.Error as error:
            self._recover(entries, error)
        else:
            self.trouble, self._suspect, self._head = None, None, group.head
            self._queue.finished()
            self._tell(group)
            self._own_up()

    def _write(self, group: Group, entries: list[Entry]) -> None:
        """Staging asks for versions: inside the transaction that costs 2 us a stream, outside of it 8 us."""
        self._synchronize("FULL" if any(entry.append.durable for entry in entries) else "NORMAL")
        cursor = self._db.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                group.stage(entry.append, entry.done)
            group.insert(self._log.recorder, cursor, self._head)
            cursor.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                cursor.execute("ROLLBACK")

    def _tell(self, group: Group) -> None:
        if len(self._versions) > _CACHED_VERSIONS:
            self._versions.clear()
        self._versions.update(group.versions)
        if group.recorded:
            for listener in self._listeners:
                listener(group.recorded)
        if group.results:
            self._settle(group.results)
        self._checkpointer.committed(group.state_bytes)

    def _own_up(self) -> None:
        """The log can be written again: what was lost meanwhile goes into it, behind what waited."""
        gap = self._gaps.take()
        if gap is not None:
            append = Append(events=(NewEvent("workspace", gap),), metadata=Metadata(actor="system"), keep=True)
            if not self._queue.offer(Entry(append, None, append.weight())):
                self._gaps.merge(gap)

    def _synchronize(self, mode: str) -> None:
        if mode != self._synchronous:
            self._db.execute(f"PRAGMA synchronous={mode}")
            self._synchronous = mode

    def _version_of(self, stream: str) -> int:
        version = self._versions.get(stream)
        if version is None:
            row = self._db.execute("SELECT MAX(version) FROM events WHERE stream = ?", (stream,)).fetchone()
            version = self._versions[stream] = row[0] or 0
        return version

    def _forget(self) -> None:
        """What is in the log is asked again."""
        self._versions.clear()
        self._head = None

    def _single_out(self, entries: list[Entry], error: Exception) -> None:
        """Commit the appends of a group one at a time; the one that fails again, alone, is refused."""
        self._forget()
        if len(entries) == 1 and entries[0] is self._suspect:
            self._suspect = None
            _log.error("an append cannot be stored: %s", error)
            self._settle_all(entries, unstorable(error))
        else:
            self._suspect = entries[0]
            self._queue.put_back(entries, singly=True)

    def _recover(self, entries: list[Entry], error: sqlite3.Error) -> None:
        """Refuse decisions, keep facts in their order at the front of the queue, and pause before the next try."""
        if self.trouble is None:
            _log.error("the event log cannot be written: %s", error)
        self.trouble = str(error)
        self._forget()
        stopping = self._stopping.is_set()
        self._queue.put_back([entry for entry in entries if entry.append.keep and not stopping])
        self._refuse([entry for entry in entries if not entry.append.keep or stopping])
        self._stopping.wait(_RETRY_S)

    def _refuse(self, entries: list[Entry]) -> None:
        error = StoreUnavailableError(self.trouble or "the event log takes no more events")
        lost = sum(len(append.events) for append, done, _ in entries if append.keep or done is None)
        if lost:
            self.lost(lost)
            _log.error("%d events could not be recorded: %s", lost, error)
        self._settle_all(entries, error)

    def _settle_all(self, entries: list[Entry], result: Result) -> None:
        waiting = [(done, result) for _, done, _ in entries if done is not None]
        if waiting:
            self._settle(waiting)
