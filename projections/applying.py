"""Applying a batch of events to all projections in one transaction, each projection contained by a savepoint."""

import logging
import sqlite3
from collections.abc import Sequence
from typing import Literal

import msgspec

from projections import tracking
from projections.declaration import Contents, Fold, Projection
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


def no_contents(_: int) -> dict[str, bytes]:
    return {}


class Progress(msgspec.Struct):
    """One projection's progress: changed by the runner's thread only. `contents` is for projections that ask for it."""

    projection: Projection
    position: int
    error: str | None = None
    fold: Fold | None = None
    contents: Contents = no_contents

    def subject(self, db: sqlite3.Connection) -> object:
        """What the handlers work on."""
        if self.fold is None:
            if self.projection.fold_contents is not None:
                self.fold = self.projection.fold_contents(db, self.contents)
            elif self.projection.fold is not None:
                self.fold = self.projection.fold(db)
        return self.fold or db

    def forget(self) -> None:
        if self.fold is not None:
            self.fold.forget()


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
            for progress in all_progress:
                progress.forget()
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
            _apply(db, progress, due)
            break
        except _PoisonedError as poisoned:
            db.execute("ROLLBACK TO projection")
            progress.forget()
            error = poisoned.text
            due = [event for event in due if event.position < poisoned.position]
    if due:
        tracking.advance(db, progress.projection.name, due[-1].position, due[-1].hash)
    db.execute("RELEASE projection")
    return _Step(progress, due[-1].position if due else progress.position, error)


def _apply(db: sqlite3.Connection, progress: Progress, events: Sequence[Recorded]) -> None:
    try:
        _apply_all(db, progress, events)
    except POISONED as error:
        if is_environmental(error) or progress.fold is None or len(events) == 1:
            raise
        # rows of several events were written together: one by one it shows whose they were
        db.execute("ROLLBACK TO projection")
        progress.forget()
        for recorded in events:
            _apply_all(db, progress, (recorded,))
        raise


def _apply_all(db: sqlite3.Connection, progress: Progress, events: Sequence[Recorded]) -> None:
    handles, subject = progress.projection.handles, progress.subject(db)
    for recorded in events:
        handler = handles.get(type(recorded.event))
        if handler is None:
            continue
        try:
            handler(subject, recorded)
        except POISONED as error:
            if is_environmental(error):
                raise
            raise _poisoned(recorded, error) from error
    if progress.fold is None:
        return
    try:
        progress.fold.write()
    except POISONED as error:
        if is_environmental(error) or len(events) > 1:
            raise
        raise _poisoned(events[0], error) from error


def _poisoned(recorded: Recorded, error: Exception) -> _PoisonedError:
    return _PoisonedError(recorded.position, f"{recorded.type} at {recorded.position}: {type(error).__name__}: {error}")
