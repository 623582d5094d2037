"""The one way in: load, fold, decide, append.

The state is held in memory and runs ahead of the log by what is queued; when an append fails, it is dropped and folded
from the log again, and once more when what was queued at that time is in the log. Everything here runs on the event
loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from commands import (
    deciding,
    ledgers,
    memory,
    memory_shelf,
    moving,
    sessions,
    workspace,
)
from commands.deciding import Command
from commands.errors import ConflictError, InvalidCommandError, UnavailableError
from schema import compaction as compaction_events
from schema import erasure as erasure_events
from schema import forking as forking_events
from schema import ledgers as ledger_events
from schema import memory as memory_events
from schema import moving as moving_events
from schema import prices as price_events
from schema import server_state as server_events
from schema import sessions as session_events
from schema import workspace as workspace_events
from schema.appending import Appender
from schema.appends import Append, Committed, KeyMissingError, StoreUnavailableError, VersionConflictError
from schema.context import ContentRetrieved, SanitizerDisabled, SanitizerEnabled
from schema.idempotency import Idempotent
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent
from schema.registry import Event
from schema.unreadable import Unreadable

_RETRIES = 3
_FOLDED = tuple(
    cls.__name__
    for cls in (
        *workspace_events.EVENTS,
        *session_events.EVENTS,
        *compaction_events.EVENTS,
        *erasure_events.EVENTS,
        *moving_events.EVENTS,
        *ledger_events.EVENTS,
        *price_events.EVENTS,
        *forking_events.EVENTS,
        SanitizerEnabled,
        SanitizerDisabled,
    )
)
_SETTINGS = {  # the events of each global switch, by its commands
    workspace.EnableAutoSession: ("AutoSessionEnabled", "AutoSessionDisabled"),
    workspace.DisableAutoSession: ("AutoSessionEnabled", "AutoSessionDisabled"),
    workspace.EnableSanitizer: ("SanitizerEnabled", "SanitizerDisabled"),
    workspace.DisableSanitizer: ("SanitizerEnabled", "SanitizerDisabled"),
    ledgers.ImportLedgers: ("TaskUsageImported", "LedgerImported"),
}

_MEMORIES = tuple(cls.__name__ for cls in memory_events.EVENTS)
_OF_SESSIONS = (*_FOLDED, *_MEMORIES)
_OF_MEMORIES = (memory.ForgetMemory, memory.RestoreMemory, memory.DemoteMemory)
_UNEXPECTED = (  # facts: nothing is decided on what was before them
    ContentRetrieved,
    memory_events.MemoryRecalled,
    *server_events.EVENTS,
)
Listener = Callable[[Sequence[NewEvent]], None]


class Outcome(msgspec.Struct, frozen=True):
    """`position` is that of the command's last event, or the head of the log where `count` is 0."""

    position: int
    count: int
    events: tuple[Event, ...] = ()


class _Shelf(msgspec.Struct):
    """What is remembered, as it was read, and the version of its stream."""

    shelf: memory_shelf.Shelf
    version: int = 0
    unreadable: list[Unreadable] = []


def _unwritable(reason: object) -> UnavailableError:
    return UnavailableError("store_unavailable", f"The event log cannot be written: {reason}")


def _remembers(events: Sequence[NewEvent]) -> bool:
    return any(event.stream == memory.STREAM for event in events)


class CommandHandler:
    """Executes commands of the workspace and of sessions, and lets the hot path start sessions without waiting."""

    def __init__(self, log: EventLog, appender: Appender) -> None:
        self._log = log
        self._appender = appender
        self._lock = asyncio.Lock()
        self._next_session_id = log.max_id("session_id") + 1
        self._stale = False  # it holds what the log will not hold
        self._behind = False  # it may lack what was queued when it was folded
        self._versions: dict[str, int] = {}
        self._listeners: list[Listener] = []
        self.state = workspace.initial_state()
        self.ledgers = ledgers.initial_state()
        self._shelf: memory_shelf.Shelf | None = None  # what is remembered; None until it is needed
        self._last_memory_id = log.given()
        self._memories_in_flight = 0
        self._reload()
        self._next_decision_id = max(self.state.last_decision_id, log.given()) + 1

    def subscribe(self, listener: Listener) -> None:
        """It is called with what `execute` has appended, once that is committed and before anybody is told."""
        self._listeners.append(listener)

    def next_decision_id(self) -> int:
        """Of a prefix decision: never given twice, also not after a refusal."""
        self._next_decision_id += 1
        return self._next_decision_id - 1

    def next_session_id(self) -> int:
        """Never given twice, also not after a refusal."""
        self._next_session_id += 1
        return self._next_session_id - 1

    async def next_memory_id(self) -> int:
        """Never given twice, also not after a refusal."""
        async with self._lock:
            self._last_memory_id = max(self._last_memory_id, (await self._loaded_shelf()).last_id) + 1
            return self._last_memory_id

    def decide(self, command: Command) -> list[NewEvent]:
        """Decide on the current state and advance it. The caller appends the events, or says `dropped`.

        Raises CommandError.
        """
        self._refresh()
        new = deciding.decide(self.state, self.ledgers, lambda: self._shelf_for(command), command)
        for event in new:
            self._evolve(event.event, event.stream)
            if event.stream != memory.STREAM:
                self._versions[event.stream] = self._versions.get(event.stream, 0) + 1
            elif self._shelf is not None:
                memory_shelf.evolve(self._shelf, event.event)
                self._versions[event.stream] += 1
        return new

    def dropped(self) -> None:
        """An append that the state had run ahead for was refused: fold it from the log again."""
        self._stale = True

    async def execute(
        self,
        command: Command,
        metadata: Metadata,
        *,
        expected_position: int | None = None,
        idempotent: Idempotent | None = None,
    ) -> Outcome:
        """Decide, append durably (`idempotent` with it), and return where.

        Raises CommandError: UnavailableError when the log cannot take it, ConflictError when the last event about the
        command's session or setting is not at `expected_position`.
        """
        behind = self._lock.locked()
        async with self._lock:
            if (
                behind and self._appender.trouble is not None
            ):  # who waited does not wait as long once more to be refused
                raise _unwritable(self._appender.trouble)
            for _ in range(_RETRIES):
                self._refresh()
                if isinstance(command, memory.Command | moving.MergeSessions) and not isinstance(
                    command, memory.RecallMemories
                ):
                    await self._loaded_shelf()
                self._expect(command, expected_position)
                try:
                    return await self._attempt(command, metadata, idempotent)
                except VersionConflictError:
                    continue  # `_ended` has seen to it that the state is folded again
            raise ConflictError("version_conflict", "The state kept changing; try again.")

    async def keep(self, refused: Idempotent, metadata: Metadata) -> None:
        """Keep a refusal. Raises UnavailableError."""
        await self._committed(Append(events=(), metadata=metadata, idempotent=refused, durable=True))

    async def flushed(self) -> int:
        """Wait until the log holds all that was handed to it; its head then. Raises UnavailableError."""
        return (await self._committed(Append(events=(), metadata=Metadata(actor="system")))).head

    async def _attempt(self, command: Command, metadata: Metadata, idempotent: Idempotent | None) -> Outcome:
        before = dict(self._versions)
        new = self.decide(command)
        if not new and idempotent is None:
            return Outcome(self._log.head(), 0)
        decided = (event.stream for event in new if not isinstance(event.event, _UNEXPECTED))
        streams = {workspace.STREAM, *decided}
        expect = {stream: before.get(stream, 0) for stream in streams}
        append = Append(events=new, metadata=metadata, expect=expect, idempotent=idempotent, durable=True)
        committed = await self._committed(append)
        return Outcome(committed.head, len(new), tuple(event.event for event in new))

    async def _committed(self, append: Append) -> Committed:
        try:
            return await self._append(append)
        except StoreUnavailableError as error:
            raise _unwritable(error) from error
        except KeyMissingError as error:
            raise UnavailableError("store_unavailable", f"It cannot be recorded: {error}.") from error

    async def _append(self, append: Append) -> Committed:
        """Shielded: a caller who leaves does not hide from us how the append ended."""
        future = self._appender.append(append)
        self._memories_in_flight += _remembers(append.events)
        future.add_done_callback(partial(self._ended, append.events))
        return await asyncio.shield(future)

    def _ended(self, events: Sequence[NewEvent], future: "asyncio.Future[Committed]") -> None:
        self._memories_in_flight -= _remembers(events)
        if future.cancelled() or future.exception() is not None:
            self._stale = True
            return
        for listener in self._listeners if events else ():
            listener(events)

    def _refresh(self) -> None:
        if self._stale or (self._behind and self._appender.idle):
            self._reload()

    def _reload(self) -> None:
        self._behind = not self._appender.idle  # asked before reading, so that nothing slips between
        self.state, self.ledgers = workspace.initial_state(), ledgers.initial_state()
        self._shelf = None
        self._versions = {}
        for recorded in self._log.scan(types=_FOLDED, strangers=True):
            self._evolve(recorded.event, recorded.stream)
            self._versions[recorded.stream] = recorded.version
        self._stale = False

    def _evolve(self, event: Event, stream: str) -> None:
        about_ledgers = isinstance(event, ledger_events.EVENTS)
        if about_ledgers or (isinstance(event, Unreadable) and stream == ledger_events.STREAM):
            self.ledgers = ledgers.evolve(self.ledgers, event)
        else:
            self.state = workspace.evolve(self.state, event)

    async def _loaded_shelf(self) -> memory_shelf.Shelf:
        """What is remembered, folded from the log in a thread when it is first needed. Under the lock, so that nothing
        is decided meanwhile; what was queued by a caller who has left may be missing, and is folded in later."""
        if self._shelf is None:
            in_flight = self._memories_in_flight
            self._take_shelf(await asyncio.to_thread(self._read_shelf))
            self._behind = self._behind or in_flight > 0
        return self._shelf or memory_shelf.initial_state()

    def _shelf_for(self, command: Command) -> memory_shelf.Shelf:
        """Loaded before, but where the state was dropped just now."""
        if self._shelf is None and not isinstance(command, memory.RecallMemories):
            self._take_shelf(self._read_shelf())
        return self._shelf or memory_shelf.initial_state()

    def _take_shelf(self, read: _Shelf) -> None:
        self._shelf = read.shelf
        self._versions[memory.STREAM] = read.version
        for event in read.unreadable:
            self._evolve(event, memory.STREAM)

    def _read_shelf(self) -> _Shelf:
        read = _Shelf(memory_shelf.initial_state())
        for recorded in self._log.scan(types=_MEMORIES, strangers=True):
            if not isinstance(recorded.event, Unreadable):
                memory_shelf.evolve(read.shelf, recorded.event)
            elif recorded.stream == memory.STREAM or recorded.type in _MEMORIES:
                read.unreadable.append(recorded.event)
            else:
                continue
            read.version = recorded.version
        return read

    def _expect(self, command: Command, expected: int | None) -> None:
        if expected is None:
            return
        if isinstance(command, sessions.DeleteSessions):
            raise InvalidCommandError("invalid_field", "X-Expected-Position is of writes on one session or setting.")
        about = self._session_of(command)
        if about is not None and about not in self.state.sessions:
            return  # that there is no such session comes before any conflict about it
        if about is None:
            actual = self._log.last_position(types=_SETTINGS.get(type(command), _FOLDED))
        else:
            family = workspace.family(self.state, about)
            actual = max(self._log.last_position(types=_OF_SESSIONS, session_id=each) for each in family)
        if expected != actual:
            message = f"The last change was event {actual}, not {expected}."
            raise ConflictError("version_conflict", message, expected=expected, actual=actual)

    def _session_of(self, command: Command) -> int | None:
        """Of a memory: what its session is a part of by now."""
        if not isinstance(command, _OF_MEMORIES):
            return getattr(command, "session_id", None)
        kept = self._shelf_for(command).memories.get(command.memory_id)
        return workspace.whole(self.state, kept.session_id) if kept is not None else 0
