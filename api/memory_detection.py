"""Memories that are found in conversations by themselves, where the configuration says so (`memory.detect`).

A fold over the log beside all else: what each request brought anew from its user is looked at once, and what it says
for later is stored as any client could, with the message that it stands in as its source. After a restart the last
events are looked at again: the same text in a session is one memory, so nothing is lost and nothing is there twice.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable

import msgspec
from eventsourcing.persistence import PersistenceError

from api.memory_fields import body_of, preview_of
from commands.errors import CommandError, UnavailableError
from commands.handling import CommandHandler
from commands.memory import StoreMemory
from context.detection import Statement, statements
from context.detection_rules import Kind
from context.messages import decode_message
from context.tokens import TextCounter
from schema.exchanges import ExchangeStarted
from schema.log import EventLog
from schema.memory import MemoryType
from schema.recorded import Metadata, Recorded
from schema.sealing import SealError

_PAUSE_S, _AFTER_TROUBLE_S = 1.0, 10.0
_BATCH = 50
_AGAIN = 1_000  # events
_TYPES: dict[Kind, MemoryType] = {"decision": "episodic"}

_log = logging.getLogger("chronoproxy.memory")


class Detected(msgspec.Struct, frozen=True):
    message_ref: str
    statement: Statement


class Detector:
    """`redact` takes configured keys out of what is stored."""

    def __init__(
        self, log: EventLog, handler: CommandHandler, count: TextCounter, redact: Callable[[str], str]
    ) -> None:
        self._events, self._handler, self._count, self._redact = log, handler, count, redact
        self._reached: int | None = None

    async def run(self) -> None:
        """Look at what comes, until cancelled. What fails is told of and tried again."""
        while True:
            pause = _PAUSE_S
            try:
                while await self.once():
                    pass
            except (UnavailableError, sqlite3.Error, PersistenceError, SealError) as error:
                _log.error("conversations could not be looked through for memories: %s", error)
                pause = _AFTER_TROUBLE_S
            await asyncio.sleep(pause)

    async def once(self) -> int:
        """How many more events were looked at. Raises UnavailableError and what the log raises."""
        if self._reached is None:
            self._reached = await asyncio.to_thread(self._beginning)
        head = self._events.head()
        if head <= self._reached:
            return 0
        begun = await asyncio.to_thread(
            self._events.read, self._reached, upto=head, limit=_BATCH, types=(ExchangeStarted.__name__,)
        )
        for recorded in begun:
            for found in await asyncio.to_thread(self._found, recorded):
                await self._store(recorded, found)
            self._reached = recorded.position
        if len(begun) < _BATCH:
            self._reached = head
        return len(begun)

    def _beginning(self) -> int:
        """The last events once more, but none from before it was switched on."""
        switched_on = self._events.head()
        for recorded in reversed(self._events.read(types=("ConfigurationLoaded",))):
            memory = getattr(recorded.event, "values", {}).get("memory")
            if not (isinstance(memory, dict) and memory.get("detect") is True):
                break
            switched_on = recorded.position
        return max(switched_on, self._events.head() - _AGAIN)

    def _found(self, recorded: Recorded) -> list[Detected]:
        """In the messages whose bodies came with this request: earlier ones were looked at before."""
        event = recorded.event
        if not isinstance(event, ExchangeStarted) or event.blob is None:
            return []
        bodies = self._events.bodies(recorded.position)
        found: list[Detected] = []
        for ref in event.received.added:
            message = decode_message(bodies[ref]) if ref in bodies else {}
            if message.get("role") == "user":
                found += [Detected(ref, each) for text in _texts(message.get("content")) for each in statements(text)]
        return found

    async def _store(self, recorded: Recorded, found: Detected) -> None:
        """Raises UnavailableError. A session that is gone remembers nothing."""
        event, statement = recorded.event, found.statement
        if not isinstance(event, ExchangeStarted):
            return
        content = self._redact(statement.text)
        command = StoreMemory(
            session_id=event.session_id,
            memory_id=await self._handler.next_memory_id(),
            memory_type=_TYPES.get(statement.kind, "semantic"),
            body=body_of(content),
            tokens=self._count(content),
            preview=preview_of(content),
            metadata=msgspec.json.encode({"kind": statement.kind}).decode(),
            origin="detected",
            exchange_id=event.exchange_id,
            message_ref=found.message_ref,
        )
        by = Metadata(actor="system", by="detection", causation_position=recorded.position)
        try:
            await self._handler.execute(command, by)
        except UnavailableError:
            raise
        except CommandError as error:
            _log.info("a statement of session %d was not remembered: %s", event.session_id, error)


def _texts(content: object) -> list[str]:
    """Each text part by itself: clients put what tools said beside what the user said."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
