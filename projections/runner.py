"""The thread that keeps the read tables up with the log.

It catches up from the log, then lives on what the writer feeds it. Several commits become one transaction: it gathers
for up to LINGER_S, longer while much comes in, unless somebody waits for a position (waiting.py): most of what a small
transaction costs is pages that the next one writes again. What does not fit (a full queue, a gap, a batch
that could not be committed) is dropped and read from the log again.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

import msgspec
from eventsourcing.persistence import PersistenceError

from projections.applying import Progress, ProjectionStatus, State, apply_batch
from projections.declaration import Log, Projection
from projections.rebuilding import PoisonedRebuildError, Rebuilt, catch_up, put_in_place, remove
from projections.store import ReadStore, open_store
from projections.trouble import is_damage
from projections.waiting import Waiter
from projections.whole import OpenedFile, broken, lacking, seen_anew
from schema.chores import Chores, Work
from schema.recorded import Recorded
from schema.sealing import SealError

LINGER_S = 0.1
WATCHED_LINGER_S = 0.02  # while somebody looks on
BUSY_LINGER_S = 0.3
BUSY = 50  # events of the last transaction
_RETRY_S = 0.25
_TROUBLE = (sqlite3.Error, PersistenceError, SealError, msgspec.MsgspecError, LookupError)  # of the log or the disk

_log = logging.getLogger("chronoproxy.projections")


Swap = Callable[[Callable[[], None]], None]  # runs a function while no reader has the file open


class Adoption(NamedTuple):
    built: Rebuilt
    swap: Swap
    done: "Future[None]"


class Watcher(Protocol):
    """Is told what the tables show. Called by the runner's thread; must not raise and must not block."""

    @property
    def watching(self) -> bool:
        """Whether it wants to be told."""

    def applied(self, events: Sequence[Recorded]) -> None:
        """The rows of these events are committed; ascending, without gaps while it is `watching`."""


class Runner(threading.Thread):
    """Uses the store's connection between `start` and `stop`. `feed` is for the writer's thread, the rest for any."""

    def __init__(
        self,
        store: ReadStore,
        projections: Sequence[Projection],
        log: Log,
        waiter: Waiter,
        *,
        batch: int = 2_000,
        max_queued: int = 20_000,
        watcher: Watcher | None = None,
        swap: Swap = lambda exchange: exchange(),
    ) -> None:
        """`batch` bounds the events of one transaction, `max_queued` those that wait in memory; `swap` is for a file
        that must be built anew."""
        super().__init__(name="projections")
        self._db, self._log, self._waiter = store.db, log, waiter
        self._path, self._projections = store.path, tuple(projections)
        self._own: sqlite3.Connection | None = None  # the connection to a file that took the place of the first
        self._adoption: Adoption | None = None
        self._swap = swap
        self._file = OpenedFile(store.path)
        self._suspected, self._damaged = threading.Event(), threading.Event()
        self._anew: str | None = None  # why the tables are being built anew
        self._told = 0  # the last event that the watcher was told of
        self._chores = Chores()
        self._watcher = watcher
        self._batch, self._max_queued = batch, max_queued
        self._progress = self._progress_of(store)
        self._position = min((progress.position for progress in self._progress), default=0)
        self._lock = threading.Lock()
        self._queue: list[Recorded] = []  # without gaps, ending with the newest event, or empty
        self._applied = 0  # events of the last transaction
        self._newest = 0  # the newest position known, in the queue or only in the log
        self._fed = threading.Event()
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self.trouble: str | None = None

    @property
    def ready(self) -> bool:
        """Whether the tables have once been at the head of the log since the start."""
        return self._caught_up.is_set()

    def wait_ready(self, timeout_s: float) -> bool:
        """Block until `ready`; False when it takes longer."""
        return self._caught_up.wait(timeout_s)

    def feed(self, events: list[Recorded]) -> None:
        """Committed events, in order. Never blocks: what does not fit is read from the log later."""
        with self._lock:
            if self._queue and events[0].position != self._queue[-1].position + 1:
                self._queue.clear()
            if len(self._queue) + len(events) > self._max_queued:
                self._queue.clear()
            else:
                self._queue += events
            self._newest = max(self._newest, events[-1].position)
        if self._waiter.anybody():
            self._waiter.wanted.set()
        self._fed.set()

    def urge(self) -> None:
        """Apply what was fed now rather than after lingering."""
        self._waiter.wanted.set()

    def look(self, error: Exception | None = None) -> None:
        """Somebody could not read the tables: see whether they are still there, and whole after an `error` of
        damage."""
        self._suspect(error)
        self._waiter.wanted.set()
        self._fed.set()

    def status(self) -> list[ProjectionStatus]:
        died = self.ident is not None and not self.is_alive() and not self._stopping.is_set()
        return [self._status(progress, died) for progress in self._progress]

    def adopt(self, built: Rebuilt, swap: Callable[[Callable[[], None]], None]) -> "Future[None]":
        """Put the file `built` in the place of the one in use, once both are equally far. What it lacks is applied by
        this thread, so it should not lack much: no event is shown meanwhile.

        `swap` runs a function while no reader has the file open. Reads go on on both sides of it.
        """
        adoption = Adoption(built, swap, Future())
        self._adoption = adoption
        self._waiter.wanted.set()
        self._fed.set()
        return adoption.done

    def between(self, work: Work) -> "Future[None]":
        """Do `work` on the tables' connection between two transactions, in this thread."""
        done = self._chores.add(work)
        self._waiter.wanted.set()
        self._fed.set()
        return done

    def stop(self) -> None:
        """Apply what was fed, end the thread, and send home whoever waits. The store stays open."""
        self._stopping.set()
        self._waiter.wanted.set()
        self._fed.set()
        if self.ident is not None:
            self.join()
        self._waiter.close()
        self._chores.drop()
        if self._adoption is not None:
            self._adoption.done.cancel()
        if self._own is not None:
            self._own.close()

    def run(self) -> None:
        while True:
            try:
                if self._newest == 0:
                    self._learn_head()
                self._require_file()
                if self._adoption is not None and self._position >= self._adoption.built.position:
                    self._take_over(self._adoption)
                self._chores.do(self._db)
                events = self._next()
                if events and not self._apply(events):
                    continue
            except (*_TROUBLE, OSError) as error:
                self._suspect(error)
                if self._struggle(error):
                    continue
                return
            self.trouble = self._anew = None
            self._applied = len(events)
            if events:
                self._position = events[-1].position
                self._waiter.reached(self._position)
                self._tell(events)
                if len(events) < self._batch and not self._stopping.is_set():
                    self._caught_up.set()
                    self._linger()
            elif self._stopping.is_set():
                return
            else:
                self._rest()

    def _apply(self, events: list[Recorded]) -> bool:
        """False where a projection stopped because the file is not whole: it is not the event's fault."""
        before = sum(progress.error is not None for progress in self._progress)
        apply_batch(self._db, self._progress, events)
        if sum(progress.error is not None for progress in self._progress) == before:
            return True
        why = broken(self._db)
        if why is not None:
            self._build_anew(why)
        return why is None

    def _tell(self, events: list[Recorded]) -> None:
        """Of each event once, also where the tables are built anew."""
        new = events if events[0].position > self._told else [each for each in events if each.position > self._told]
        self._told = max(self._told, events[-1].position)
        if new and self._watcher is not None and self._watcher.watching:
            self._watcher.applied(new)

    def _suspect(self, error: Exception | None) -> None:
        if error is not None and is_damage(error):
            self._damaged.set()
        self._suspected.set()

    def _require_file(self) -> None:
        why = self._file.missing()
        if why is None and self._suspected.is_set():
            self._suspected.clear()
            damaged = self._damaged.is_set()
            self._damaged.clear()
            why = lacking(self._db) or seen_anew(self._path, damaged=damaged)
        if why is not None:
            self._build_anew(why)

    def _build_anew(self, why: str) -> None:
        """As at a start, while the proxy serves. Raises sqlite3.Error and OSError; then it is tried again."""
        if why != self._anew:
            _log.error("the read tables are built anew: %s", why)
        self._anew = self.trouble = why
        self._caught_up.clear()
        self._waiter.begin_again()
        self._db.close()

        def exchange() -> None:
            remove(self._path)
            self._use(open_store(self._path, self._projections, self._log))

        self._swap(exchange)
        self._position = min((progress.position for progress in self._progress), default=0)

    def _use(self, store: ReadStore) -> None:
        self._db = self._own = store.db
        self._progress, self._file = self._progress_of(store), OpenedFile(store.path)

    def _progress_of(self, store: ReadStore) -> list[Progress]:
        positions, contents = store.positions, self._log.bodies
        return [Progress(each, positions[each.name], contents=contents) for each in self._projections]

    def _take_over(self, adoption: "Adoption") -> None:
        self._adoption = None
        try:
            catch_up(adoption.built.path, self._projections, self._log, self._position, checked=True)
            self._db.close()
            try:
                adoption.swap(lambda: put_in_place(adoption.built.path, self._path))
            finally:
                self._use(open_store(self._path, self._projections, self._log, checked=True))
        except (*_TROUBLE, OSError, PoisonedRebuildError) as error:
            adoption.done.set_exception(error)
        else:
            adoption.done.set_result(None)

    def _learn_head(self) -> None:
        head = self._log.head()
        with self._lock:
            self._newest = max(self._newest, head)
        self._waiter.reached(self._position)

    def _next(self) -> list[Recorded]:
        """The events that follow our position, none at the head. Raises LookupError where the log has a gap."""
        with self._lock:
            due = [event for event in self._queue if event.position > self._position]
            if self._newest <= self._position:
                self._queue.clear()
                return []
            if due and due[0].position == self._position + 1:
                self._queue = due[self._batch :]
                return due[: self._batch]
        events = self._log.read(self._position, limit=self._batch)
        if not events or events[0].position != self._position + 1:
            raise LookupError(f"event {self._position + 1} is not in the log")
        return events

    def _rest(self) -> None:
        """Wait for events, then for somebody in a hurry. Both flags are cleared before the queue is looked at."""
        self._caught_up.set()
        self._fed.wait()
        self._linger()

    def _linger(self) -> None:
        """Let more events come in, until somebody wants what is there."""
        busy = BUSY_LINGER_S if self._applied >= BUSY else LINGER_S
        self._waiter.wanted.wait(WATCHED_LINGER_S if self._watched() else busy)
        self._fed.clear()
        self._waiter.wanted.clear()

    def _watched(self) -> bool:
        return self._watcher is not None and self._watcher.watching

    def _struggle(self, error: Exception) -> bool:
        """Note the trouble and pause; False where there is no more time to try again."""
        text = f"{type(error).__name__}: {error}"
        if text != self.trouble:
            _log.error("the read tables cannot go on at event %d: %s", self._position, text)
        self.trouble = text
        return not self._stopping.wait(_RETRY_S)

    def _status(self, progress: Progress, died: bool) -> ProjectionStatus:
        state: State = "live" if self.ready or 0 < self._newest <= progress.position else "rebuilding"
        if died or progress.error is not None:
            state = "failed"
        trouble = "the runner has died" if died else self.trouble
        return ProjectionStatus(
            progress.projection.name,
            progress.projection.version,
            progress.position,
            state,
            progress.error or trouble,
        )
