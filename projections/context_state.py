"""What is to be known of a session's context beside its messages: one fold, for the hot path, the tables and any moment
of the past."""

import msgspec

from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    SkipReason,
    TokensReserved,
)
from schema.exchanges import ExchangeStarted
from schema.forking import SessionForked
from schema.registry import Event


class ContextState(msgspec.Struct, frozen=True, kw_only=True):
    """`auto` and `reserved_tokens` are None while nobody has set them: then the configuration says; `consecutive`
    counts automatic compactions since the context was last found below the threshold; times in ms since the epoch;
    `tokens_saved` is of the compactions in force."""

    reserved_tokens: int | None = None
    auto: bool | None = None
    consecutive: int = 0
    compactions: int = 0
    tokens_saved: int = 0
    last_at: int | None = None
    last_auto_at: int | None = None
    skip_reason: SkipReason | None = None


def evolve(state: ContextState, event: Event, timestamp: int) -> ContextState:
    """The state after `event`; the same object where nothing changes."""
    change = msgspec.structs.replace
    match event:
        case ExchangeStarted():
            return change(state, consecutive=0) if state.consecutive and not event.over_threshold else state
        case CompactionPerformed():
            saved = state.tokens_saved + event.tokens_before - event.tokens_after
            state = change(state, compactions=state.compactions + 1, tokens_saved=saved, last_at=timestamp)
            if event.trigger_reason == "manual":
                return change(state, skip_reason=None)
            return change(state, consecutive=state.consecutive + 1, last_auto_at=timestamp, skip_reason=None)
        case CompactionReverted(kind="compaction"):
            return change(state, tokens_saved=state.tokens_saved - event.tokens_restored)
        case AutoCompactionSkipped():
            return change(state, skip_reason=event.reason)
        case TokensReserved():
            return change(state, reserved_tokens=event.to)
        case AutoCompactionEnabled():
            return change(state, auto=True)
        case AutoCompactionDisabled():
            return change(state, auto=False)
        case SessionForked():
            return ContextState(**msgspec.structs.asdict(event.context))
        case _:
            return state
