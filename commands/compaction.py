"""Compacting and compressing a session's context, undoing that, and the settings beside it. The state is the
workspace's. What to leave out was worked out before (context/compaction.py) and stands in the command."""

from typing import assert_never

import msgspec

from commands.errors import ConflictError, InvalidCommandError, NotFoundError, StaleError
from commands.workspace import LiveSession, Workspace, require
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    CompressionFailed,
    CompressionPerformed,
    Kind,
    SkipReason,
    TokensReserved,
)
from schema.recorded import Body
from schema.registry import Event


class Decide(msgspec.Struct, frozen=True):
    """A prefix decision, with the bodies that it speaks of; refused where another one came first. `failed` says how the
    model failed that was to write the summary."""

    performed: CompactionPerformed | CompressionPerformed
    bodies: tuple[Body, ...] = ()
    failed: CompressionFailed | None = None

    @property
    def session_id(self) -> int:
        return self.performed.session_id


class LeaveAsIs(msgspec.Struct, frozen=True):
    """There is nothing to compact."""

    session_id: int


class RevertCompaction(msgspec.Struct, frozen=True):
    """Undo one prefix decision; without a number the latest of either kind."""

    session_id: int
    history_id: int | None = None
    log_id: int | None = None


class SkipAutoCompaction(msgspec.Struct, frozen=True):
    session_id: int
    reason: SkipReason
    tokens: int
    threshold_tokens: int


class ReserveTokens(msgspec.Struct, frozen=True):
    """`max_context` is the session's window; `configured` is what holds while nobody has set it."""

    session_id: int
    tokens: int
    max_context: int
    configured: int = 0


class EnableAutoCompaction(msgspec.Struct, frozen=True):
    """`configured` is what holds while nobody has switched it."""

    session_id: int
    configured: bool = True


class DisableAutoCompaction(msgspec.Struct, frozen=True):
    """`configured` is what holds while nobody has switched it."""

    session_id: int
    configured: bool = True


Command = (
    Decide
    | LeaveAsIs
    | RevertCompaction
    | SkipAutoCompaction
    | ReserveTokens
    | EnableAutoCompaction
    | DisableAutoCompaction
)


def decide(state: Workspace, command: Command) -> list[Event]:
    """The events that `command` causes, none when all is so already. Raises CommandError."""
    session = require(state, command.session_id)
    match command:
        case Decide(performed, _, failed):
            return _perform(session, performed, failed)
        case LeaveAsIs():
            return []
        case RevertCompaction():
            return _revert(session, command)
        case SkipAutoCompaction(session_id, reason, tokens, threshold):
            skipped = AutoCompactionSkipped(
                session_id=session_id, reason=reason, tokens=tokens, threshold_tokens=threshold
            )
            return [] if session.skip_reason == reason else [skipped]
        case ReserveTokens(session_id, tokens, most, configured_tokens):
            if tokens >= most:
                text = f"At most {most - 1:,} of the window's {most:,} tokens can be reserved."
                raise InvalidCommandError("reserved_too_large", text, max_context=most)
            before = configured_tokens if session.reserved_tokens is None else session.reserved_tokens
            return [] if before == tokens else [TokensReserved(session_id=session_id, from_=before, to=tokens)]
        case EnableAutoCompaction(session_id, configured):
            return [] if session.auto_compacts(configured) else [AutoCompactionEnabled(session_id=session_id)]
        case DisableAutoCompaction(session_id, configured):
            return [AutoCompactionDisabled(session_id=session_id)] if session.auto_compacts(configured) else []
        case _:
            assert_never(command)


def number_of(event: CompactionPerformed | CompressionPerformed) -> int:
    return event.history_id if isinstance(event, CompactionPerformed) else event.log_id


def kind_of(event: CompactionPerformed | CompressionPerformed) -> Kind:
    return "compaction" if isinstance(event, CompactionPerformed) else "compression"


def _perform(
    session: LiveSession, performed: CompactionPerformed | CompressionPerformed, failed: CompressionFailed | None
) -> list[Event]:
    """What it builds on must still be in force, and nothing may build on that already."""
    on = performed.edit.builds_on
    overtaken = any(made.builds_on == on and made.in_force for made in session.decisions.values()) if on else False
    if overtaken or (on is not None and (on not in session.decisions or not session.decisions[on].in_force)):
        raise StaleError("version_conflict", "The context was changed meanwhile; try again.")
    if any(made.within == performed.edit.within and made.in_force for made in session.decisions.values()):
        raise StaleError("version_conflict", "The context was changed meanwhile; try again.")
    return [failed, performed] if failed is not None else [performed]


def _revert(session: LiveSession, command: RevertCompaction) -> list[Event]:
    number, kind = _meant(session, command)
    made = session.decisions[number]
    if not made.in_force:
        raise ConflictError("already_reverted", f"This {kind} was undone before.", **{_key(kind): number})
    newer = [other for other, each in session.decisions.items() if each.builds_on == number and each.in_force]
    if newer:
        text = f"Undo {session.decisions[newer[0]].kind} {newer[0]} first: it goes on from this one."
        raise ConflictError("revert_order", text, newer=newer[0])
    reverted = CompactionReverted(
        session_id=command.session_id,
        kind=made.kind,
        history_id=number if made.kind == "compaction" else None,
        log_id=number if made.kind == "compression" else None,
        restored_refs=made.removed_refs,
        tokens_restored=made.tokens_saved,
    )
    return [reverted]


def _meant(session: LiveSession, command: RevertCompaction) -> tuple[int, Kind]:
    if command.history_id is None and command.log_id is None:
        in_force = [number for number, made in session.decisions.items() if made.in_force]
        if not in_force:
            raise ConflictError("nothing_to_revert", "Nothing of this session is compacted or compressed.")
        return in_force[-1], session.decisions[in_force[-1]].kind
    kind: Kind = "compaction" if command.history_id is not None else "compression"
    number = command.history_id if command.history_id is not None else command.log_id
    made = session.decisions.get(number) if number is not None else None
    if number is None or made is None or made.kind != kind:
        raise NotFoundError("compaction_not_found", f"The session has no {kind} {number}.", **{_key(kind): number or 0})
    return number, kind


def _key(kind: Kind) -> str:
    return "history_id" if kind == "compaction" else "log_id"
