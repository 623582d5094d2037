"""Executing commands over a real log."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from commands.errors import ConflictError, InvalidCommandError, NotFoundError, UnavailableError
from commands.handling import CommandHandler
from commands.sessions import DeleteSession, DeleteSessions, RenameSession, StartSession
from commands.workspace import ActivateSession, DisableAutoSession, EnableAutoSession, RecordConfiguration
from schema.appending import Appender
from schema.appends import Append, Committed, UnstorableError
from schema.recorded import Metadata, NewEvent
from schema.sessions import SessionRenamed, SessionStarted
from schema.workspace import AutoSessionDisabled, SessionActivated
from tests.commands.conftest import Open, Store
from tests.schema.writing import locked

META = Metadata(actor="api", by="someone", correlation_id="c")


def start(number: int, name: str = "n") -> StartSession:
    return StartSession(session_id=number, name=name, provider="demo")


def started(number: int, name: str = "n") -> SessionStarted:
    return SessionStarted(session_id=number, name=name, provider="demo", origin="manual")


def folded_anew(store: Store) -> CommandHandler:
    """Another handler on the same log: what a restart would know."""
    return CommandHandler(store.log, store.appender)


async def elsewhere(store: Store, *events: NewEvent) -> None:
    """Append behind the handler's back."""
    await store.appender.append(Append(events=events, metadata=META))


async def test_an_outcome_says_where_and_what(store: Store) -> None:
    outcome = await store.handler.execute(start(1), META)
    assert (outcome.position, outcome.count) == (2, 2)
    assert outcome.events == (started(1), SessionActivated(session_id=1))
    read = store.log.read()
    assert [recorded.event for recorded in read] == list(outcome.events)
    assert {(recorded.actor, recorded.by, recorded.correlation_id) for recorded in read} == {("api", "someone", "c")}


async def test_a_command_that_changes_nothing_appends_nothing(store: Store) -> None:
    await store.handler.execute(start(1), META)
    outcome = await store.handler.execute(EnableAutoSession(), META)
    assert (outcome.position, outcome.count, outcome.events) == (2, 0, ())
    assert store.log.head() == 2


async def test_a_refused_command_leaves_log_and_state(store: Store) -> None:
    await store.handler.execute(start(1), META)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await store.handler.execute(RenameSession(9, "x"), META)
        with pytest.raises(ConflictError):
            await store.handler.execute(DeleteSessions((1,)), META)
    assert store.log.head() == 2
    assert store.handler.state == folded_anew(store).state


async def test_a_rename_stands_in_the_session_s_own_stream(store: Store) -> None:
    await store.handler.execute(start(1, "old"), META)
    for name in ("b", "c"):
        await store.handler.execute(RenameSession(1, name), META)
    assert [(each.stream, each.version) for each in store.log.read(2)] == [("session-1", 1), ("session-1", 2)]


async def test_a_conflict_is_decided_again_on_the_new_state(store: Store) -> None:
    await store.handler.execute(start(1), META)
    await elsewhere(store, NewEvent("workspace", started(2)), NewEvent("workspace", SessionActivated(session_id=2)))
    outcome = await store.handler.execute(start(3), META)
    assert outcome.events == (started(3), SessionActivated(session_id=3, previous_id=2))
    assert store.log.at(outcome.position) is not None


async def test_a_conflict_may_turn_out_to_be_done_already(store: Store) -> None:
    await elsewhere(store, NewEvent("workspace", AutoSessionDisabled()))
    outcome = await store.handler.execute(DisableAutoSession(), META)
    assert (outcome.position, outcome.count) == (1, 0)


class Overtaken(Appender):
    """The workspace moves on before each of the first three appends."""

    overtaking: Sequence[int] = (101, 102, 103)

    def append(self, append: Append, refused: Callable[[], None] | None = None) -> "asyncio.Future[Committed]":
        if self.overtaking:
            number, *self.overtaking = self.overtaking
            super().append(Append(events=[NewEvent("workspace", started(number))], metadata=META))
        return super().append(append, refused)


async def test_retries_end(open_store: Open) -> None:
    store = await open_store(Overtaken)
    with pytest.raises(ConflictError) as refused:
        await store.handler.execute(start(1), META)
    assert refused.value.code == "version_conflict"
    await store.handler.execute(start(1), META)
    assert store.handler.state == folded_anew(store).state
    assert sorted(store.handler.state.sessions) == [1, 101, 102, 103]


async def test_a_locked_log_is_unavailable_and_works_again_afterwards(store: Store) -> None:
    await store.handler.execute(start(1, "before"), META)
    with locked(store.log):
        for command in (RenameSession(1, "lost"), start(2), DisableAutoSession()):
            with pytest.raises(UnavailableError) as refused:
                await store.handler.execute(command, META)
            assert refused.value.code == "store_unavailable"
    await store.handler.execute(RenameSession(1, "after"), META)
    await store.handler.execute(start(2), META)
    assert store.log.read(types=["SessionRenamed"])[0].event == SessionRenamed(session_id=1, from_="before", to="after")
    assert store.handler.state == folded_anew(store).state
    assert store.handler.state.auto_session


async def test_an_unstorable_command_leaves_the_state_as_the_log_has_it(store: Store) -> None:
    with pytest.raises(UnstorableError):
        await store.handler.execute(RecordConfiguration({"a": object()}, "h"), META)
    await store.handler.execute(RecordConfiguration({"a": 1}, "h"), META)
    assert store.log.head() == 1


async def test_the_expected_position_is_that_of_the_last_change_of_the_session(store: Store) -> None:
    created = await store.handler.execute(start(1), META)
    await store.handler.execute(start(2), META)
    renamed = await store.handler.execute(RenameSession(1, "b"), META, expected_position=created.position)
    with pytest.raises(ConflictError) as refused:
        await store.handler.execute(RenameSession(1, "c"), META, expected_position=created.position)
    assert refused.value.code == "version_conflict"
    assert refused.value.context == {"expected": created.position, "actual": renamed.position}
    await store.handler.execute(RenameSession(1, "c"), META, expected_position=renamed.position)


async def test_the_expected_position_of_a_switch_is_that_of_its_last_change(store: Store) -> None:
    await store.handler.execute(DisableAutoSession(), META, expected_position=0)
    await store.handler.execute(start(1), META)
    await store.handler.execute(EnableAutoSession(), META, expected_position=1)
    with pytest.raises(ConflictError):
        await store.handler.execute(DisableAutoSession(), META, expected_position=1)


async def test_the_expected_position_of_a_deletion_is_that(store: Store) -> None:
    created = [await store.handler.execute(start(number), META) for number in (1, 2, 3)]
    with pytest.raises(ConflictError) as refused:
        await store.handler.execute(DeleteSession(1), META, expected_position=created[1].position)
    assert refused.value.code == "version_conflict"
    await store.handler.execute(DeleteSession(1), META, expected_position=created[0].position)
    with pytest.raises(InvalidCommandError):
        await store.handler.execute(DeleteSessions((2,)), META, expected_position=1)


async def test_an_unknown_session_comes_before_any_conflict(store: Store) -> None:
    for command in (RenameSession(9, "x"), DeleteSession(9), ActivateSession(9)):
        with pytest.raises(NotFoundError):
            await store.handler.execute(command, META, expected_position=5)


async def test_ids_are_never_given_twice(open_store: Open) -> None:
    store = await open_store()
    assert [store.handler.next_session_id() for _ in range(3)] == [1, 2, 3]
    await store.handler.execute(start(3), META)
    await store.handler.execute(start(5), META)
    await store.handler.execute(DeleteSessions((3,)), META)
    store = await open_store()
    assert store.handler.next_session_id() == 6
    await store.handler.execute(start(6), META)
    await store.handler.execute(start(7), META)
    await store.handler.execute(DeleteSessions((6,)), META)
    store = await open_store()
    assert [store.handler.next_session_id() for _ in range(2)] == [8, 9]


async def test_concurrent_commands_are_decided_one_after_another(store: Store) -> None:
    handler = store.handler
    numbers = [handler.next_session_id() for _ in range(50)]
    outcomes = await asyncio.gather(*(handler.execute(start(number), META) for number in numbers))
    assert len({outcome.position for outcome in outcomes}) == 50
    same = await asyncio.gather(*(handler.execute(DisableAutoSession(), META) for _ in range(20)))
    assert sum(outcome.count for outcome in same) == 1
    twice = await asyncio.gather(*(handler.execute(start(99), META) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, ConflictError) for each in twice) == 4
    assert handler.state == folded_anew(store).state
    assert store.log.chain_break() is None


async def test_the_state_survives_a_restart(open_store: Open) -> None:
    store = await open_store()
    for command in (start(1), start(2), RenameSession(2, "b"), ActivateSession(1), DeleteSessions((2,))):
        await store.handler.execute(command, META)
    await store.handler.execute(RecordConfiguration({"port": 1}, "h"), META)
    before = store.handler.state
    store = await open_store()
    assert store.handler.state == before
    outcome = await store.handler.execute(RecordConfiguration({"port": 1}, "h"), META)
    assert outcome.count == 0


async def test_the_hot_path_decides_ahead_of_the_log(store: Store) -> None:
    handler = store.handler
    new = handler.decide(StartSession(session_id=1, name="n", provider="demo", origin="auto", activate=False))
    assert 1 in handler.state.sessions and handler.state.active_id == 1
    committed = store.appender.append(Append(events=new, metadata=META, keep=True))
    outcome = await handler.execute(RenameSession(1, "named"), META)
    assert (await committed).positions == (1, 2)
    assert outcome.position == 3
    assert handler.state == folded_anew(store).state


async def test_what_the_hot_path_lost_is_forgotten(store: Store) -> None:
    handler = store.handler
    handler.decide(start(1))
    handler.dropped()
    with pytest.raises(NotFoundError):
        handler.decide(RenameSession(1, "x"))
    assert (await handler.execute(start(1), META)).position == 2


async def test_what_was_queued_while_a_command_failed_is_known_afterwards(store: Store) -> None:
    """The state is folded from the log while the hot path's own session still waits to be committed."""
    handler = store.handler
    with locked(store.log):
        new = handler.decide(start(1))
        kept = store.appender.append(Append(events=new, metadata=META, keep=True))
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await handler.execute(start(2), META)
    await kept
    await handler.execute(RenameSession(1, "named"), META)
    assert handler.state == folded_anew(store).state
    assert handler.state.sessions[1].name == "named"


async def test_a_caller_who_leaves_does_not_hide_how_it_ended(store: Store) -> None:
    handler = store.handler
    with locked(store.log):
        leaving = asyncio.ensure_future(handler.execute(start(1), META))
        while not handler.state.sessions:
            await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        with pytest.raises(UnavailableError):
            await handler.execute(start(2), META)
    with pytest.raises(NotFoundError):
        handler.decide(RenameSession(1, "x"))
