"""Exchanges that belong elsewhere, and sessions that are one."""

import pytest

from commands.compaction import LeaveAsIs
from commands.compaction import decide as decide_compaction
from commands.errors import ConflictError, GoneError, InvalidCommandError, NotFoundError
from commands.moving import MergeSessions, Move, ReassignExchanges, decide
from commands.workspace import evolve, family, initial_state, whole
from schema.erasure import ErasedCounts, SessionErased, SessionErasureRequested
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.sessions import SessionRenamed, SessionStarted
from schema.workspace import SessionActivated
from tests.spec import Decider

decider = Decider(initial_state, evolve, decide)
given = decider.given


def started(number: int) -> SessionStarted:
    return SessionStarted(session_id=number, name="n", provider="demo", origin="manual")


def merged(target: int, *sources: int, exchanges: int = 0) -> SessionsMerged:
    return SessionsMerged(session_id=target, target_id=target, source_ids=sources, exchanges_moved=exchanges)


THREE = (started(1), started(2), started(3))


def test_an_exchange_is_moved_and_what_is_there_stays() -> None:
    moves = (Move(7, 1, "preview", "error"), Move(8, 2), Move(9, 3))
    given(*THREE).when(ReassignExchanges(2, moves)).then(
        ExchangeReassigned(session_id=2, exchange_id=7, from_=1, to=2, preview="preview", error_message="error"),
        ExchangeReassigned(session_id=2, exchange_id=9, from_=3, to=2),
    )
    given(*THREE).when(ReassignExchanges(2, (Move(8, 2),))).then_nothing()


def test_what_is_refused_to_be_moved() -> None:
    move = (Move(7, 1),)
    given(started(1)).when(ReassignExchanges(2, move)).then_rejected(NotFoundError, "session_not_found", session_id=2)
    for busy in (1, 2):
        asked = given(*THREE).when(ReassignExchanges(2, move, frozenset({busy})))
        asked.then_rejected(ConflictError, "session_busy", session_id=busy)


def test_sessions_become_one() -> None:
    given(*THREE).when(MergeSessions(1, (3, 2, 3), exchanges=4)).then(merged(1, 3, 2, exchanges=4))
    renamed = SessionRenamed(session_id=1, from_="n", to="both")
    given(*THREE).when(MergeSessions(1, (2,), "both")).then(merged(1, 2), renamed)
    active = SessionActivated(session_id=2)
    handed = SessionActivated(session_id=1, previous_id=2)
    given(*THREE, active).when(MergeSessions(1, (2,))).then(merged(1, 2), handed)


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [
        (MergeSessions(1, (1, 2)), InvalidCommandError, "self_merge"),
        (MergeSessions(1, (2, 9)), NotFoundError, "unknown_sessions"),
        (MergeSessions(9, (1,)), NotFoundError, "session_not_found"),
        (MergeSessions(1, (2,), running=frozenset({2})), ConflictError, "session_busy"),
    ],
)
def test_what_is_refused_to_be_merged(command: MergeSessions, error: type[Exception], code: str) -> None:
    given(*THREE).when(command).then_rejected(error, code)  # type: ignore[arg-type]


def test_a_part_is_no_session_any_more() -> None:
    events = (*THREE, merged(2, 3), merged(1, 2))
    state = decider.fold(events)
    assert (family(state, 1), whole(state, 3)) == ((1, 2, 3), 1)
    gone = Decider(initial_state, evolve, decide_compaction).given(*events).when(LeaveAsIs(3))
    gone.then_rejected(NotFoundError, "session_merged", merged_into=2)
    given(*events).when(MergeSessions(1, (3,))).then_rejected(NotFoundError, "unknown_sessions", failed_ids=[3])


def test_an_erased_session_is_no_source() -> None:
    asked = SessionErasureRequested(session_id=2, counts=ErasedCounts())
    erased = SessionErased(session_id=2, key_id=None, erased_at=7, counts=ErasedCounts())
    given(*THREE, asked, erased).when(MergeSessions(1, (2,))).then_rejected(GoneError, "content_erased", session_id=2)
