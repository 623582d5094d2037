"""The life of a session."""

import pytest

from commands.errors import ConflictError, GoneError, NotFoundError
from commands.sessions import DeleteSession, DeleteSessions, RenameSession, StartSession, decide, stream_of
from commands.workspace import evolve, initial_state
from schema.erasure import ErasedCounts, SessionErased, SessionErasureRequested
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import AutoSessionEnabled, SessionActivated
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given


def session(number: int, name: str = "n") -> SessionStarted:
    return SessionStarted(session_id=number, name=name, provider="demo", origin="manual")


def active(number: int, previous: int | None = None) -> SessionActivated:
    return SessionActivated(session_id=number, previous_id=previous)


def test_a_started_session_becomes_the_active_one() -> None:
    given().when(StartSession(session_id=1, name="n", provider="demo")).then(session(1), active(1))
    given(session(1), active(1)).when(StartSession(session_id=2, name="n", provider="demo")).then(
        session(2), active(2, previous=1)
    )


def test_a_session_that_starts_by_itself_is_activated_only_where_none_is() -> None:
    command = StartSession(session_id=5, name="n", provider="demo", activate=False)
    given().when(command).then(session(5), active(5))
    given(session(1), active(1)).when(command).then(session(5))
    given(session(1), active(1), SessionDeleted(session_id=1)).when(command).then(session(5), active(5, previous=1))


def test_all_facts_of_the_command_stand_in_the_event() -> None:
    command = StartSession(
        session_id=4,
        name="one",
        provider="openai",
        model="big",
        origin="header",
        rule="session_header",
        parent_id=3,
        client_family="cline",
        key_hash="k" * 64,
        scope="s" * 64,
    )
    started = SessionStarted(
        session_id=4,
        name="one",
        provider="openai",
        model="big",
        origin="header",
        rule="session_header",
        parent_id=3,
        client_family="cline",
        key_hash="k" * 64,
        scope="s" * 64,
    )
    given().when(command).then(started, active(4))


def test_a_session_number_is_used_once() -> None:
    given(session(1)).when(StartSession(session_id=1, name="n", provider="demo")).then_rejected(
        ConflictError, "session_exists", session_id=1
    )


def test_renaming_says_from_what_to_what() -> None:
    given(session(1, "old")).when(RenameSession(1, "new")).then(SessionRenamed(session_id=1, from_="old", to="new"))
    given(session(1, "old")).when(RenameSession(1, "old")).then_nothing()
    given().when(RenameSession(1, "new")).then_rejected(NotFoundError, "session_not_found", session_id=1)


def test_sessions_are_deleted_in_the_order_named_and_once() -> None:
    given(session(1), session(2), session(3)).when(DeleteSessions((3, 1, 3))).then(
        SessionDeleted(session_id=3, left=1), SessionDeleted(session_id=1, left=0)
    )
    given().when(DeleteSessions(())).then_nothing()


def test_all_sessions_are_deleted_or_none() -> None:
    started = given(session(1), session(2), active(2))
    started.when(DeleteSessions((1, 8, 9))).then_rejected(NotFoundError, "unknown_sessions", failed_ids=[8, 9])
    started.when(DeleteSessions((1, 2))).then_rejected(ConflictError, "active_session", session_id=2)
    started.when(DeleteSessions((1,), frozenset({1}))).then_rejected(ConflictError, "session_busy", session_id=1)
    started.when(DeleteSessions((1,), frozenset({2}))).then(SessionDeleted(session_id=1, left=0))


def test_an_erased_session_is_gone_however_it_is_to_be_deleted() -> None:
    erased = SessionErased(session_id=2, erased_at=77, counts=ErasedCounts())
    requested = SessionErasureRequested(session_id=2, counts=ErasedCounts())
    started = given(session(1), session(2), requested, erased)
    for command in (DeleteSession(2), DeleteSessions((2,)), DeleteSessions((1, 2))):
        started.when(command).then_rejected(GoneError, "content_erased", session_id=2, erased_at=77)
    started.when(DeleteSessions((1, 2, 9))).then_rejected(NotFoundError, "unknown_sessions", failed_ids=[9])


def test_a_session_deleted_by_itself_leaves_none_to_follow() -> None:
    given(session(1), session(2)).when(DeleteSession(2)).then(SessionDeleted(session_id=2))
    given(session(1)).when(DeleteSession(2)).then_rejected(NotFoundError, "session_not_found", session_id=2)


@pytest.mark.parametrize(
    ("event", "stream"),
    [
        (session(1), "workspace"),
        (active(1), "workspace"),
        (SessionDeleted(session_id=1), "workspace"),
        (AutoSessionEnabled(), "workspace"),
        (SessionRenamed(session_id=12, from_="a", to="b"), "session-12"),
    ],
)
def test_streams(event: Event, stream: str) -> None:
    assert stream_of(event) == stream
