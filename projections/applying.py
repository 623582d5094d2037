"""Applying a batch of events to all projections in one transaction. An event that one of them cannot digest stops that
one alone: then the batch is applied again, with a savepoint for each projection."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from projections import tracking
from projections.declaration import Contents, Fold, Handler, Projection
from projections.trouble import is_environmental
from schema.recorded import Recorded
from schema.registry import Event
from schema.unreadable import Unreadable

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
    error: str | None = None


Apply = Callable[[sqlite3.Connection, Sequence[Progress], Sequence[Recorded]], list[_Step]]


def apply_batch(db: sqlite3.Connection, all_progress: Sequence[Progress], events: Sequence[Recorded]) -> None:
    """Apply `events` (ascending, without gaps) to every projection that has not failed, and commit.

    Raises sqlite3.Error, with nothing changed, where the machine refused.
    """
    if not events:
        return
    going_on = [progress for progress in all_progress if progress.error is None]
    unreadable = [recorded.event for recorded in events if isinstance(recorded.event, Unreadable)]
    try:
        steps = _transaction(db, going_on, events, _contained if unreadable else _together)
    except POISONED as error:
        if is_environmental(error) or unreadable:
            raise
        steps = _transaction(db, going_on, events, _contained)
    for event in unreadable:
        _log.error("%s", event)
    for step in steps:
        step.progress.position, step.progress.error = step.position, step.error
        if step.error is not None:
            _log.error(
                "projection %s stopped at event %d: %s", step.progress.projection.name, step.position, step.error
            )


def _transaction(
    db: sqlite3.Connection, going_on: Sequence[Progress], events: Sequence[Recorded], apply: Apply
) -> list[_Step]:
    """All of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        steps = apply(db, going_on, events)
        _advance(db, steps, events)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
            for progress in going_on:
                progress.forget()
    return steps


def _advance(db: sqlite3.Connection, steps: Sequence[_Step], events: Sequence[Recorded]) -> None:
    """Most are where all are: one statement for these."""
    names: dict[int, list[str]] = {}
    for step in steps:
        if step.position > step.progress.position:
            names.setdefault(step.position, []).append(step.progress.projection.name)
    for position, moved in names.items():
        tracking.advance(db, moved, position, events[position - events[0].position].hash)


def _due(progress: Progress, events: Sequence[Recorded]) -> Sequence[Recorded]:
    """What the projection has not seen."""
    return events[max(progress.position + 1 - events[0].position, 0) :]


def _together(db: sqlite3.Connection, going_on: Sequence[Progress], events: Sequence[Recorded]) -> list[_Step]:
    """Each event to all projections that handle it: most of them handle few."""
    kinds = {type(recorded.event) for recorded in events}
    behind: dict[int, list[Progress]] = {}  # by how much is due; most projections are where the others are
    for progress in going_on:
        if not kinds.isdisjoint(progress.projection.handles):
            behind.setdefault(len(_due(progress, events)), []).append(progress)
    for count, together in behind.items():
        handlers = {kind: _handlers(db, together, kind) for kind in kinds}
        for recorded in events[len(events) - count :]:
            event = recorded.event
            for handler, subject in handlers[type(event)]:
                handler(subject, recorded, event)
        for progress in together:
            if progress.fold is not None:
                progress.fold.write()
    return [_Step(progress, max(events[-1].position, progress.position)) for progress in going_on]


def _handlers(db: sqlite3.Connection, together: Sequence[Progress], kind: type[Event]) -> list[tuple[Handler, object]]:
    handled = [(progress.projection.handles.get(kind), progress) for progress in together]
    return [(handler, progress.subject(db)) for handler, progress in handled if handler is not None]


def _contained(db: sqlite3.Connection, going_on: Sequence[Progress], events: Sequence[Recorded]) -> list[_Step]:
    return [_contained_step(db, progress, events) for progress in going_on]


def _contained_step(db: sqlite3.Connection, progress: Progress, events: Sequence[Recorded]) -> _Step:
    """Some event is poisoned, for some projection: keep what came before it, and leave the others as they are."""
    due = _due(progress, events)
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
        event = recorded.event
        if isinstance(event, Unreadable) and progress.projection.needs(event.type):
            raise _PoisonedError(recorded.position, str(event))
        handler = handles.get(type(event))
        if handler is None:
            continue
        try:
            handler(subject, recorded, event)
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
