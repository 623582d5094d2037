"""Compacting, undoing it, and the settings beside it."""

from typing import Any

import msgspec
import pytest

from commands.compaction import (
    Command,
    Decide,
    DisableAutoCompaction,
    EnableAutoCompaction,
    LeaveAsIs,
    ReserveTokens,
    RevertCompaction,
    SkipAutoCompaction,
    decide,
)
from commands.errors import ConflictError, InvalidCommandError, NotFoundError, StaleError
from commands.workspace import evolve, initial_state
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    CompressionFailed,
    CompressionPerformed,
    PrefixEdit,
    TokensReserved,
)
from schema.sessions import SessionDeleted, SessionStarted
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given
STARTED = SessionStarted(session_id=5, name="n", provider="demo", origin="manual")


def fields(within: str, builds_on: int | None) -> dict[str, Any]:
    return {
        "session_id": 5,
        "decided_on": 1,
        "trigger_reason": "manual",
        "edit": PrefixEdit(cut=4, within=within, removed=((1, 3),), inserted=(), builds_on=builds_on),
        "removed_refs": ("a", "b"),
        "summary_ref": "s",
        "tokens_before": 100,
        "tokens_after": 40,
        "messages_before": 6,
        "messages_after": 5,
        "system_preserved": 0,
        "recent_preserved": 2,
    }


def compaction(number: int, within: str, builds_on: int | None = None) -> CompactionPerformed:
    return CompactionPerformed(history_id=number, **fields(within, builds_on))


def compression(number: int, within: str, builds_on: int | None = None) -> CompressionPerformed:
    return CompressionPerformed(log_id=number, **fields(within, builds_on))


def reverted(number: int, *, log: bool = False) -> CompactionReverted:
    return CompactionReverted(
        session_id=5,
        kind="compression" if log else "compaction",
        history_id=None if log else number,
        log_id=number if log else None,
        restored_refs=("a", "b"),
        tokens_restored=60,
    )


def test_a_decision_is_an_event() -> None:
    given(STARTED).when(Decide(compaction(1, "w"))).then(compaction(1, "w"))
    given(STARTED, compaction(1, "w")).when(Decide(compression(2, "v", 1))).then(compression(2, "v", 1))
    given(STARTED).when(LeaveAsIs(5)).then_nothing()


def test_a_model_that_failed_is_told_of_first() -> None:
    failed = CompressionFailed(session_id=5, model="m", error_code="http_500")
    given(STARTED).when(Decide(compression(1, "w"), failed=failed)).then(failed, compression(1, "w"))


def test_what_was_planned_on_something_else_is_planned_anew() -> None:
    first = compaction(1, "w")
    given(STARTED, first).when(Decide(compaction(2, "w"))).then_rejected(StaleError, "version_conflict")
    given(STARTED, first, reverted(1)).when(Decide(compaction(2, "w"))).then(compaction(2, "w"))
    given(STARTED, first, reverted(1)).when(Decide(compaction(2, "v", 1))).then_rejected(StaleError, "version_conflict")
    given(STARTED).when(Decide(compaction(2, "v", 1))).then_rejected(StaleError, "version_conflict")
    built = given(STARTED, first, compaction(2, "v", 1))
    built.when(Decide(compaction(3, "u", 1))).then_rejected(StaleError, "version_conflict")


def test_undoing() -> None:
    both = given(STARTED, compaction(1, "w"), compression(2, "v"))
    both.when(RevertCompaction(5)).then(reverted(2, log=True))  # the latest of either kind
    both.when(RevertCompaction(5, history_id=1)).then(reverted(1))
    both.when(RevertCompaction(5, log_id=2)).then(reverted(2, log=True))
    both.when(RevertCompaction(5, log_id=1)).then_rejected(NotFoundError, "compaction_not_found", log_id=1)
    both.when(RevertCompaction(5, history_id=7)).then_rejected(NotFoundError, "compaction_not_found", history_id=7)
    given(STARTED).when(RevertCompaction(5)).then_rejected(ConflictError, "nothing_to_revert")
    undone = given(STARTED, compaction(1, "w"), reverted(1))
    undone.when(RevertCompaction(5)).then_rejected(ConflictError, "nothing_to_revert")
    undone.when(RevertCompaction(5, history_id=1)).then_rejected(ConflictError, "already_reverted", history_id=1)


def test_what_others_build_on_is_undone_last() -> None:
    built = given(STARTED, compaction(1, "w"), compaction(2, "v", 1))
    built.when(RevertCompaction(5, history_id=1)).then_rejected(ConflictError, "revert_order", newer=2)
    later = given(STARTED, compaction(1, "w"), compaction(2, "v", 1), reverted(2))
    later.when(RevertCompaction(5, history_id=1)).then(reverted(1))


def test_reserving_tokens() -> None:
    reserved = TokensReserved(session_id=5, from_=0, to=100)
    given(STARTED).when(ReserveTokens(5, 100, 1_000)).then(reserved)
    given(STARTED, reserved).when(ReserveTokens(5, 100, 1_000)).then_nothing()
    given(STARTED, reserved).when(ReserveTokens(5, 0, 1_000)).then(TokensReserved(session_id=5, from_=100, to=0))
    given(STARTED).when(ReserveTokens(5, 50, 1_000, 50)).then_nothing()  # as the configuration says already
    full = given(STARTED).when(ReserveTokens(5, 1_000, 1_000))
    full.then_rejected(InvalidCommandError, "reserved_too_large", max_context=1_000)


def test_the_switch_of_a_session() -> None:
    on, off = AutoCompactionEnabled(session_id=5), AutoCompactionDisabled(session_id=5)
    given(STARTED).when(DisableAutoCompaction(5)).then(off)
    given(STARTED, off).when(DisableAutoCompaction(5)).then_nothing()
    given(STARTED, off).when(EnableAutoCompaction(5)).then(on)
    given(STARTED).when(EnableAutoCompaction(5)).then_nothing()
    given(STARTED).when(EnableAutoCompaction(5, configured=False)).then(on)


def test_a_reason_is_told_once() -> None:
    skip = SkipAutoCompaction(5, "cooldown", 90, 85)
    skipped = AutoCompactionSkipped(session_id=5, reason="cooldown", tokens=90, threshold_tokens=85)
    given(STARTED).when(skip).then(skipped)
    given(STARTED, skipped).when(skip).then_nothing()
    other = msgspec.structs.replace(skipped, reason="max_consecutive")
    given(STARTED, skipped).when(SkipAutoCompaction(5, "max_consecutive", 90, 85)).then(other)
    given(STARTED, skipped, compaction(1, "w")).when(skip).then(skipped)


@pytest.mark.parametrize(
    "command",
    [
        Decide(compaction(1, "w")),
        LeaveAsIs(5),
        RevertCompaction(5),
        SkipAutoCompaction(5, "cooldown", 1, 1),
        ReserveTokens(5, 1, 2),
        EnableAutoCompaction(5),
        DisableAutoCompaction(5),
    ],
)
def test_of_living_sessions_only(command: Command) -> None:
    given().when(command).then_rejected(NotFoundError, "session_not_found", session_id=5)
    gone = given(STARTED, compaction(1, "w"), SessionDeleted(session_id=5))
    gone.when(command).then_rejected(NotFoundError, "session_not_found", session_id=5)
