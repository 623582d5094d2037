"""Applying a batch of events to all projections in one transaction, each projection contained by a savepoint."""

import logging
import sqlite3
from collections.abc import Sequence
from typing import Literal

import msgspec

from projections import tracking
from projections.declaration import Projection
from projections.trouble import is_environmental
from schema.recorded import Recorded

_log = logging.getLogger("chronoproxy.projections")

# what an event that a projection cannot digest raises; anything else is a fault of the program
POISONED = (sqlite3.Error, ArithmeticError, LookupError, TypeError, ValueError)

State = Literal["live", "rebuilding", "failed"]


class ProjectionStatus(msgspec.Struct, frozen=True):
    """`position` is that of the last event applied; `error` says why a failed one stopped behind it."""

    name: str
    version: int
    position: int
    state: State
    error: str | None = None


class Progress(msgspec.Struct):
    """One projection's progress: changed by the runner's thread only."""

    projection: Projection
    position: int
    error: str | None = None


class _PoisonedError(Exception):
    """The event at `position` could not be applied."""

    def __init__(self, position: int, text: str) -> None:
        super().__init__(text)
        self.position, self.text = position, text


class _Step(msgspec.Struct):
    """What a batch did to one projection, to be believed once the transaction is committed."""

    progress: Progress
    position: int
    error: str | None


def apply_batch(db: sqlite3.Connection, all_progress: Sequence[Progress], events: Sequence[Recorded]) -> None:
    """Apply `events` (ascending, without gaps) to every projection that has not failed, and commit.

    Raises sqlite3.Error, with nothing changed, where the machine refused.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        steps = [_step(db, progress, events) for progress in all_progress if progress.error is None]
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    for step in steps:
        step.progress.position, step.progress.error = step.position, step.error
        if step.error is not None:
            _log.error(
                "projection %s stopped at event %d: %s", step.progress.projection.name, step.position, step.error
            )


def _step(db: sqlite3.Connection, progress: Progress, events: Sequence[Recorded]) -> _Step:
    """Apply what the projection has not seen; at a poisoned event keep what came before it."""
    due = [event for event in events if event.position > progress.position]
    db.execute("SAVEPOINT projection")
    error: str | None = None
    while due:
        try:
            _apply(db, progress.projection, due)
            break
        except _PoisonedError as poisoned:
            db.execute("ROLLBACK TO projection")
            error = poisoned.text
            due = [event for event in due if event.position < poisoned.position]
    if due:
        tracking.advance(db, progress.projection.name, due[-1].position, due[-1].hash)
    db.execute("RELEASE projection")
    return _Step(progress, due[-1].position if due else progress.position, error)


def _apply(db: sqlite3.Connection, projection: Projection, events: Sequence[Recorded]) -> None:
    handles = projection.handles
    for recorded in events:
        handler = handles.get(type(recorded.event))
        if handler is None:
            continue
        try:
            handler(db, recorded)
        except POISONED as error:
            if is_environmental(error):
                raise
            text = f"{recorded.type} at {recorded.position}: {type(error).__name__}: {error}"
            raise _PoisonedError(recorded.position, text) from error
