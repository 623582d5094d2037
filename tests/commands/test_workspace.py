"""The global switches and the active session."""

from commands.errors import NotFoundError
from commands.workspace import (
    Acknowledge,
    ActivateSession,
    DisableAutoSession,
    DisableSanitizer,
    EnableAutoSession,
    EnableSanitizer,
    LiveSession,
    RecordConfiguration,
    RecordRebuild,
    RecordVacuum,
    activated,
    decide,
    evolve,
    initial_state,
)
from schema.context import SanitizerDisabled, SanitizerEnabled
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import (
    AutoSessionDisabled,
    AutoSessionEnabled,
    ConfigurationLoaded,
    DatabaseVacuumed,
    ReadModelRebuilt,
    SessionActivated,
)
from tests.spec import Decider

DECIDER = Decider(initial_state, evolve, decide)
given = DECIDER.given


def session(number: int, name: str = "n") -> SessionStarted:
    return SessionStarted(session_id=number, name=name, provider="demo", origin="manual")


class Unrelated(Event, frozen=True):
    pass


def test_activating_says_which_session_was_active_before() -> None:
    given(session(1), session(2)).when(ActivateSession(1)).then(SessionActivated(session_id=1))
    given(session(1), session(2), SessionActivated(session_id=1)).when(ActivateSession(2)).then(
        SessionActivated(session_id=2, previous_id=1)
    )


def test_activating_the_active_session_changes_nothing() -> None:
    given(session(1), SessionActivated(session_id=1)).when(ActivateSession(1)).then_nothing()


def test_only_a_living_session_can_be_activated() -> None:
    given().when(ActivateSession(7)).then_rejected(NotFoundError, "session_not_found", session_id=7)
    given(session(7), SessionDeleted(session_id=7)).when(ActivateSession(7)).then_rejected(
        NotFoundError, "session_not_found"
    )


def test_auto_session_is_on_from_the_start() -> None:
    given().when(EnableAutoSession()).then_nothing()
    given().when(DisableAutoSession()).then(AutoSessionDisabled())


def test_auto_session_switches_only_when_it_changes() -> None:
    off = given(AutoSessionDisabled())
    off.when(DisableAutoSession()).then_nothing()
    off.when(EnableAutoSession()).then(AutoSessionEnabled())
    given(AutoSessionDisabled(), AutoSessionEnabled()).when(EnableAutoSession()).then_nothing()


def test_the_sanitizer_is_as_configured_until_it_is_switched() -> None:
    given().when(EnableSanitizer(configured=True)).then_nothing()
    given().when(DisableSanitizer(configured=True)).then(SanitizerDisabled())
    given().when(EnableSanitizer(configured=False)).then(SanitizerEnabled())
    given().when(DisableSanitizer(configured=False)).then_nothing()
    off = given(SanitizerDisabled())
    off.when(DisableSanitizer(configured=True)).then_nothing()
    off.when(EnableSanitizer(configured=True)).then(SanitizerEnabled())
    given(SanitizerDisabled(), SanitizerEnabled()).when(EnableSanitizer(configured=False)).then_nothing()


def test_a_configuration_is_recorded_when_it_differs_from_the_last() -> None:
    command = RecordConfiguration({"server": {"port": 1}}, "a" * 64, ("server.port",))
    loaded = ConfigurationLoaded(values={"server": {"port": 1}}, hash="a" * 64, given=("server.port",))
    other = ConfigurationLoaded(values={}, hash="b" * 64)
    given().when(command).then(loaded)
    given(loaded).when(command).then_nothing()
    given(loaded, other).when(command).then(loaded)


def test_a_configuration_is_recorded_when_keys_were_made_for_it_anew() -> None:
    command = RecordConfiguration({}, "a" * 64, secrets={"client keys": "b" * 64})
    before = ConfigurationLoaded(values={}, hash="a" * 64)
    named = ConfigurationLoaded(values={}, hash="a" * 64, secrets={"client keys": "b" * 64})
    given(before).when(command).then(named)
    given(before, named).when(command).then_nothing()


def test_a_rebuild_is_recorded_each_time() -> None:
    rebuilt = ReadModelRebuilt(names=("timeline",), events=9, equal=True, duration_ms=4, checksum="c")
    given(rebuilt).when(RecordRebuild(("timeline",), 9, True, 4, "c")).then(rebuilt)
    given().when(Acknowledge()).then_nothing()


def test_a_vacuum_is_recorded_each_time() -> None:
    vacuumed = DatabaseVacuumed(before_bytes=9, after_bytes=4)
    given(vacuumed).when(RecordVacuum(9, 4)).then(vacuumed)


def test_state_holds_what_decisions_need_of_living_sessions() -> None:
    started = SessionStarted(
        session_id=3, name="a", provider="demo", origin="header", parent_id=1, key_hash="k", scope="s"
    )
    state = DECIDER.fold([started, SessionRenamed(session_id=3, from_="a", to="b"), session(4)])
    assert state.sessions == {3: LiveSession("b", None, 1, "k", "s"), 4: LiveSession("n")}
    assert activated(state, 3) == SessionActivated(session_id=3)


def test_events_about_unknown_sessions_and_unknown_events_leave_the_state() -> None:
    events = [SessionRenamed(session_id=9, from_="a", to="b"), SessionDeleted(session_id=9), Unrelated()]
    assert DECIDER.fold(events) == initial_state()


def test_an_erased_name_folds_to_none() -> None:
    erased = SessionStarted(session_id=1, name=None, provider="demo", origin="auto")
    assert DECIDER.fold([erased]).sessions[1].name is None
