"""Destroying a session's contents."""

from commands.compaction import LeaveAsIs
from commands.compaction import decide as decide_compaction
from commands.erasure import ConfirmErasure, RequestErasure, decide
from commands.errors import ConflictError, GoneError, NotFoundError
from commands.workspace import evolve, initial_state
from schema.erasure import ErasedCounts, SessionErased, SessionErasureRequested
from schema.sessions import SessionDeleted, SessionStarted
from schema.workspace import SessionActivated
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given
COUNTS = ErasedCounts(messages=3)
STARTED = SessionStarted(session_id=5, name="n", provider="demo", origin="manual")
REQUESTED = SessionErasureRequested(session_id=5, counts=COUNTS, reason="why")
ERASED = SessionErased(session_id=5, key_id="k", erased_at=7, counts=COUNTS, reason="why")


def test_it_is_asked_for_and_then_done() -> None:
    given(STARTED).when(RequestErasure(5, COUNTS, "why")).then(REQUESTED)
    given(STARTED, REQUESTED).when(ConfirmErasure(5, "k", 7)).then(ERASED)
    given(STARTED, SessionDeleted(session_id=5)).when(RequestErasure(5, COUNTS, "why")).then(REQUESTED)
    given(STARTED, REQUESTED, ERASED).when(ConfirmErasure(5, None, 8)).then_nothing()


def test_what_is_refused() -> None:
    given().when(RequestErasure(5, COUNTS)).then_rejected(NotFoundError, "session_not_found", session_id=5)
    busy = RequestErasure(5, COUNTS, running=frozenset({5}))
    given(STARTED).when(busy).then_rejected(ConflictError, "session_busy", session_id=5)
    again = given(STARTED, REQUESTED, ERASED).when(RequestErasure(5, COUNTS))
    again.then_rejected(GoneError, "content_erased", session_id=5, erased_at=7)


def test_nothing_can_be_done_with_it_any_more() -> None:
    compacting = Decider(initial_state, evolve, decide_compaction).given
    gone = compacting(STARTED, REQUESTED).when(LeaveAsIs(5))
    gone.then_rejected(GoneError, "content_erased", session_id=5, erased_at=None)


def test_it_is_not_the_active_one_any_more() -> None:
    state = given(STARTED, SessionActivated(session_id=5), REQUESTED)._decider.fold(
        (STARTED, SessionActivated(session_id=5), REQUESTED)
    )
    assert (state.active_id, 5 in state.sessions) == (None, False)
