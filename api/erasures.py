"""Destroying a session's contents in all files of the data directory (decisions 2.5). Every step may be done twice, so
that what was interrupted can be done again from the beginning."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from api.memory_vectors import FILE as VECTORS
from api.memory_vectors import Vectors, refs_kept
from commands.erasure import ConfirmErasure
from commands.handling import CommandHandler
from commands.workspace import family
from projections.memory_lists import remembered_counts
from projections.runner import Runner
from projections.store import ReadPool
from projections.waiting import ProjectionLagError, Waiter
from proxy.contents import SessionContents
from schema.appending import Appender
from schema.chores import Work, purge
from schema.erasure import ErasedCounts
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata

_PATIENCE = 150  # times 2 s
_LEFTOVERS = ("read.sqlite.*", "*.part")  # of rebuilds and copies that did not come to their end


class Parts(msgspec.Struct, frozen=True):
    """What erasing works with."""

    directory: Path
    log: EventLog
    keys: KeyStore
    appender: Appender
    runner: Runner
    reads: ReadPool
    waiter: Waiter
    handler: CommandHandler


class Erasures:
    """One at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = asyncio.Lock()
        self.vectors: Vectors | None = None  # of memories, where they are kept

    async def counts(self, sessions: Sequence[int]) -> ErasedCounts:
        """What there is to erase of a session and its parts."""
        contents = await asyncio.to_thread(SessionContents, self._parts.log, *sessions)
        found = (await self._parts.reads.run(_counts, sessions)).value
        return msgspec.structs.replace(found, messages=len(contents.message_refs()))

    async def destroy(self, sessions: Sequence[int]) -> str | None:
        """Keys and bodies of a session, the first one, and its parts, after SessionErasureRequested; the id of its
        key, None where it was gone. Raises sqlite3.Error."""
        async with self._lock:
            key_ids = [await asyncio.to_thread(self._parts.keys.destroy, number) for number in sessions]
            for number in sessions:
                self._parts.log.sealer.forget(number)
            await self._parts.appender.between(_without_bodies(sessions))
            return key_ids[0]

    async def clean(self) -> None:
        """What the read tables held, after SessionErased was applied to them. Raises sqlite3.Error."""
        async with self._lock:
            await asyncio.wrap_future(self._parts.runner.between(purge))
            await self._clean_vectors()
            for pattern in _LEFTOVERS:
                for path in self._parts.directory.glob(pattern):
                    path.unlink(missing_ok=True)

    async def _clean_vectors(self) -> None:
        """Those of the texts that are gone; all of them where nobody keeps them: they can be worked out again."""
        if self.vectors is not None:
            await self.vectors.forget((await self._parts.reads.run(refs_kept)).value)
            return
        for path in self._parts.directory.glob(f"{VECTORS}*"):
            path.unlink(missing_ok=True)

    async def finish(self) -> None:
        """At a start: what an earlier run did not bring to its end. Raises sqlite3.Error and CommandError."""
        for session_id in tuple(self._parts.handler.state.erasing):
            key_id = await self.destroy(family(self._parts.handler.state, session_id))
            command = ConfirmErasure(session_id, key_id, _now_ms(self._parts.log))
            outcome = await self._parts.handler.execute(command, Metadata(actor="system"))
            await self._shown(outcome.position)
            await self.clean()

    async def _shown(self, position: int) -> None:
        """At a start the tables may have far to go. Raises ProjectionLagError after minutes."""
        for _ in range(_PATIENCE):
            try:
                return await self._parts.waiter.until(position)
            except ProjectionLagError:
                continue
        await self._parts.waiter.until(position)


def _now_ms(log: EventLog) -> int:
    last = log.at(log.head())
    return last.timestamp if last is not None else 0


def _without_bodies(sessions: Sequence[int]) -> Work:
    marks = ", ".join("?" * len(sessions))

    def work(db: sqlite3.Connection) -> None:
        db.execute(f"DELETE FROM blobs WHERE session_id IN ({marks})", tuple(sessions))
        db.execute(
            f"DELETE FROM idempotency WHERE position IN (SELECT position FROM events WHERE session_id IN ({marks}))",
            tuple(sessions),
        )
        purge(db)

    return work


def _counts(db: sqlite3.Connection, sessions: Sequence[int], *, at: int) -> ErasedCounts:
    marks = ", ".join("?" * len(sessions))
    masks, previews = db.execute(
        f"SELECT (SELECT count(*) FROM masks WHERE session_id IN ({marks})),"
        f" (SELECT count(*) FROM exchanges WHERE session_id IN ({marks}) AND preview IS NOT NULL)",
        (*sessions, *sessions),
    ).fetchone()
    return ErasedCounts(masks=masks, memories=remembered_counts(db, sessions, at=at), previews=previews)
