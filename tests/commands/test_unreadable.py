"""Nothing is decided on what an event that cannot be read may have changed; on everything else it is."""

import sqlite3
from contextlib import closing

import pytest

from commands import erasure, ledgers, memory, moving, sessions, workspace
from commands.errors import UnavailableError
from schema.blobs import content_ref
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.log import EventLog
from schema.moving import SessionsMerged
from schema.recorded import Body, Metadata
from schema.sessions import SessionRenamed
from schema.unreadable import Unreadable
from schema.workspace import AutoSessionDisabled
from tests.commands.conftest import Open, Store
from tests.commands.test_handling import META, start
from tests.commands.test_workspace import session
from tests.spec import Decider

BROKEN = Unreadable(position=9, type="SessionLocked", session_id=1, reason="this program does not know SessionLocked")
SESSIONS = Decider(workspace.initial_state, workspace.evolve, sessions.decide)
MOVING = Decider(workspace.initial_state, workspace.evolve, moving.decide)
ERASING = Decider(workspace.initial_state, workspace.evolve, erasure.decide)
WORKSPACE = Decider(workspace.initial_state, workspace.evolve, workspace.decide)


def test_a_session_of_which_an_event_cannot_be_read_is_not_changed() -> None:
    given = SESSIONS.given(session(1), session(2), BROKEN)
    given.when(sessions.RenameSession(1, "new")).then_rejected(UnavailableError, "store_unavailable", position=9)
    given.when(sessions.DeleteSessions((2, 1))).then_rejected(UnavailableError, "store_unavailable", session_id=1)
    given.when(sessions.RenameSession(2, "new")).then(SessionRenamed(session_id=2, from_="n", to="new"))
    merge = moving.MergeSessions(2, (1,))
    MOVING.given(session(1), session(2), BROKEN).when(merge).then_rejected(UnavailableError, "store_unavailable")


def test_it_can_be_erased() -> None:
    asked = erasure.RequestErasure(1, ErasedCounts())
    requested = SessionErasureRequested(session_id=1, counts=ErasedCounts())
    ERASING.given(session(1), BROKEN).when(asked).then(requested)


def test_what_it_became_a_part_of_is_not_changed_either() -> None:
    merged = SessionsMerged(session_id=2, target_id=2, source_ids=(1,))
    given = SESSIONS.given(session(1), session(2), BROKEN, merged)
    given.when(sessions.RenameSession(2, "new")).then_rejected(UnavailableError, "store_unavailable")


def test_an_event_about_no_session_changes_nothing() -> None:
    broken = Unreadable(position=9, type="AutoSessionDisabled", session_id=None, reason="damaged")
    WORKSPACE.given(session(1), broken).when(workspace.DisableAutoSession()).then(AutoSessionDisabled())


async def test_a_start_goes_on_behind_events_that_cannot_be_read(open_store: Open) -> None:
    store = await open_store()
    for number in (1, 2, 3):
        await store.handler.execute(start(number), META)
    await store.handler.execute(sessions.RenameSession(2, "two"), META)
    head = store.log.head()
    changed(store.log, "UPDATE events SET type = 'FutureEvent' WHERE position = ?", head)
    changed(store.log, "UPDATE events SET data = '{' WHERE type = 'SessionStarted' AND session_id = 3")
    store = await open_store()
    assert set(store.handler.state.unreadable) == {2, 3}
    for number in (2, 3):
        with pytest.raises(UnavailableError, match=f"session {number}"):
            await store.handler.execute(sessions.RenameSession(number, "new"), META)
    for position in (head + 1, head + 2):
        outcome = await store.handler.execute(sessions.RenameSession(1, f"after {position}"), META)
        assert outcome.position == position
    assert (await store.handler.execute(start(4), META)).position == head + 4


async def test_ledgers_are_not_taken_over_twice(open_store: Open) -> None:
    store = await open_store()
    reading = ledgers.Reading(ledger="~/a", tool="cline", kind="history", errors=1, problems=("it is damaged",))
    command = ledgers.ImportLedgers((reading,))
    assert (await store.handler.execute(command, META)).count == 1
    changed(store.log, "UPDATE events SET type = 'FutureEvent'")
    store = await open_store()
    with pytest.raises(UnavailableError, match="Nothing can be imported: event 1"):
        await store.handler.execute(command, META)


async def test_memories_of_a_session_are_not_changed(open_store: Open) -> None:
    store = await open_store()
    for number in (1, 2):
        await store.handler.execute(start(number), META)
        await remember(store, number, f"text {number}")
    changed(store.log, "UPDATE events SET data = '{' WHERE type = 'MemoryStored' AND session_id = 1")
    store = await open_store()
    with pytest.raises(UnavailableError, match="MemoryStored"):
        await remember(store, 1, "another")
    await remember(store, 2, "another")


async def remember(store: Store, session_id: int, text: str) -> None:
    data = text.encode()
    number = await store.handler.next_memory_id()
    command = memory.StoreMemory(
        session_id=session_id,
        memory_id=number,
        memory_type="episodic",
        body=Body(content_ref(data), data),
        tokens=1,
        preview=text,
    )
    await store.handler.execute(command, Metadata(actor="api"))


def changed(log: EventLog, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(log.path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER IF EXISTS events_are_not_changed")
        db.execute(statement, values)
