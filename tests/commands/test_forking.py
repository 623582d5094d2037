"""Sessions that go on from an earlier moment of others."""

import pytest

from commands import compaction, pins
from commands.compaction import RevertCompaction
from commands.errors import ConflictError, GoneError, NotFoundError
from commands.forking import ForkSession, decide
from commands.workspace import evolve, initial_state
from schema.compaction import CompactionReverted, MessageUnpinned, PrefixEdit
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.forking import CarriedContext, CarriedDecision, SessionForked
from schema.moving import SessionsMerged
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionStarted
from schema.workspace import SessionActivated
from tests.spec import Decider

decider = Decider(initial_state, evolve, decide)
given = decider.given
FORKED = SessionForked(
    session_id=2,
    source_id=1,
    at=7,
    context=CarriedContext(reserved_tokens=500, auto=False),
    decisions=(
        CarriedDecision(
            kind="compaction",
            number=9,
            copy_of=4,
            performed_at=1,
            decided_on=3,
            trigger_reason="manual",
            edit=PrefixEdit(cut=2, within="0" * 32, removed=((0, 2),), inserted=()),
            removed_refs=("a", "b"),
            summary_ref="c",
            tokens_before=100,
            tokens_after=40,
            messages_before=6,
            messages_after=5,
            system_preserved=1,
            recent_preserved=2,
        ),
    ),
    pins=("a",),
)


def started(number: int, **fields: str | int) -> SessionStarted:
    given_fields: dict[str, object] = {"provider": "demo", "origin": "manual", **fields}
    return SessionStarted(session_id=number, name="n", **given_fields)  # type: ignore[arg-type]


def fork(*, activate: bool = False) -> ForkSession:
    return ForkSession(session_id=1, name="n", provider="demo", forked=FORKED, activate=activate)


SOURCE = (started(1, scope="s" * 32), SessionActivated(session_id=1))
NEW = started(2, scope="s" * 32, rule="fork", parent_id=1)


def test_it_starts_and_says_where_it_comes_from() -> None:
    given(*SOURCE).when(fork()).then(NEW, FORKED)
    given(*SOURCE).when(fork(activate=True)).then(NEW, FORKED, SessionActivated(session_id=2, previous_id=1))


def test_where_none_is_active_it_is() -> None:
    given(started(1, scope="s" * 32)).when(fork()).then(NEW, FORKED, SessionActivated(session_id=2, previous_id=None))


@pytest.mark.parametrize(
    ("gone", "error", "code"),
    [
        ((SessionDeleted(session_id=1),), NotFoundError, "session_not_found"),
        ((SessionErasureRequested(session_id=1, counts=ErasedCounts()),), GoneError, "content_erased"),
        (
            (started(3), SessionsMerged(session_id=3, target_id=3, source_ids=(1,))),
            NotFoundError,
            "session_merged",
        ),
        ((started(2),), ConflictError, "session_exists"),
    ],
)
def test_what_is_refused(gone: tuple[Event, ...], error: type[NotFoundError], code: str) -> None:
    given(*SOURCE, *gone).when(fork()).then_rejected(error, code)


def test_what_was_decided_there_can_be_undone_here() -> None:
    undo = Decider(initial_state, evolve, compaction.decide)
    undone = CompactionReverted(
        session_id=2, kind="compaction", history_id=9, restored_refs=("a", "b"), tokens_restored=60
    )
    undo.given(*SOURCE, NEW, FORKED).when(RevertCompaction(2)).then(undone)
    undo.given(*SOURCE, NEW, FORKED).when(RevertCompaction(1)).then_rejected(ConflictError, "nothing_to_revert")
    reserve = compaction.ReserveTokens(2, 500, 1_000)
    undo.given(*SOURCE, NEW, FORKED).when(reserve).then_nothing()
    undo.given(*SOURCE, NEW, FORKED).when(compaction.DisableAutoCompaction(2)).then_nothing()


def test_what_was_pinned_there_is_pinned_here() -> None:
    pinned = Decider(initial_state, evolve, pins.decide)
    unpin = pins.UnpinMessages(2, ("a",), frozenset("a"), None)
    pinned.given(*SOURCE, NEW, FORKED).when(unpin).then(MessageUnpinned(session_id=2, ref="a"))


def test_numbers_of_decisions_are_not_given_again() -> None:
    state = initial_state()
    for event in (*SOURCE, NEW, FORKED):
        state = evolve(state, event)
    assert state.last_decision_id == 9
