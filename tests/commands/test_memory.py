"""Decisions about memories."""

from typing import Any

import msgspec

from commands import memory, memory_shelf, memory_undoing, workspace
from commands.errors import ConflictError, GoneError, NotFoundError
from commands.memory import (
    CleanUpMemories,
    CompressMemories,
    DemoteMemory,
    ForgetMemory,
    PromoteMemories,
    RecallMemories,
    RestoreMemory,
    StoreMemory,
)
from schema.blobs import content_ref
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.memory import (
    MemoryDemoted,
    MemoryForgotten,
    MemoryPromoted,
    MemoryRecalled,
    MemoryRestored,
    MemoryStored,
)
from schema.moving import SessionsMerged
from schema.recorded import Body
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionStarted
from tests.spec import Decider


class _State(msgspec.Struct):
    """Both that a decision is made on."""

    workspace: workspace.Workspace
    shelf: memory_shelf.Shelf


def _evolve(state: _State, event: Event) -> _State:
    return _State(workspace.evolve(state.workspace, event), memory_shelf.evolve(state.shelf, event))


def _decide(state: _State, command: memory.Command) -> list[Event]:
    return memory.decide(state.workspace, state.shelf, command)


given = Decider(lambda: _State(workspace.initial_state(), memory_shelf.initial_state()), _evolve, _decide).given

ONE, TWO = (SessionStarted(session_id=number, name="n", provider="demo", origin="manual") for number in (1, 2))
DATA = b"a text worth keeping"
BODY = Body(content_ref(DATA), DATA)
ERASING = SessionErasureRequested(session_id=1, counts=ErasedCounts())


def store(number: int = 1, session_id: int = 1, **fields: Any) -> StoreMemory:
    given_fields: dict[str, Any] = {"memory_type": "episodic", "body": BODY, "tokens": 5, "preview": "a text", **fields}
    return StoreMemory(session_id=session_id, memory_id=number, **given_fields)


def stored(number: int = 1, session_id: int = 1, **fields: Any) -> MemoryStored:
    given_fields: dict[str, Any] = {"memory_type": "episodic", "content_ref": BODY.ref, "preview": "a text", **fields}
    ref = given_fields["content_ref"]
    return MemoryStored(session_id=session_id, memory_id=number, hash=ref[:16], tokens=5, **given_fields)


def recalled(*numbers: int, session_id: int | None = 1, cause: Any = "restored") -> MemoryRecalled:
    return MemoryRecalled(session_id=session_id, memory_ids=numbers, cause=cause)


def forgotten(number: int = 1, cause: Any = "asked", **fields: Any) -> MemoryForgotten:
    return MemoryForgotten(session_id=1, memory_id=number, cause=cause, **fields)


PROMOTED = MemoryPromoted(session_id=1, memory_id=1, from_="episodic", to="frequent")
DEMOTED = MemoryDemoted(session_id=1, memory_id=1, from_="frequent", to="episodic")
RESTORED = MemoryRestored(session_id=1, memory_id=1)


def test_a_text_is_stored_once_in_a_session() -> None:
    given(ONE).when(store()).then(stored())
    given(ONE, stored()).when(store(2)).then(recalled(1))
    given(ONE, TWO, stored()).when(store(2, 2)).then(stored(2, 2))
    given(ONE, stored(), forgotten()).when(store(2)).then(stored(2))


def test_what_is_detected_is_new_or_nothing() -> None:
    found: dict[str, Any] = {"origin": "detected", "exchange_id": 4, "message_ref": "a" * 64}
    given(ONE).when(store(**found)).then(stored(**found))
    given(ONE, stored()).when(store(2, **found)).then_nothing()
    given(ONE, stored(), forgotten()).when(store(2, **found)).then_nothing()
    given(ONE, TWO, stored()).when(store(2, 2, **found)).then(stored(2, 2, **found))
    given().when(store(**found)).then_rejected(NotFoundError, "session_not_found", session_id=1)


def test_a_merged_session_has_what_its_parts_had() -> None:
    merged = SessionsMerged(session_id=2, target_id=2, source_ids=(1,))
    given(ONE, TWO, stored(), merged).when(store(2, 2)).then(recalled(1, session_id=2))
    given(ONE, TWO, stored(), recalled(1), recalled(1), merged).when(PromoteMemories(2)).then(PROMOTED)
    given(ONE, TWO, stored(), merged).when(ForgetMemory(1)).then(forgotten())


def test_only_a_living_session_remembers() -> None:
    given().when(store()).then_rejected(NotFoundError, "session_not_found", session_id=1)
    given(ONE, stored(), ERASING).when(store(2)).then_rejected(GoneError, "content_erased")
    given(ONE, stored(), ERASING).when(RestoreMemory(1)).then_rejected(GoneError, "content_erased")
    given(ONE, stored(), SessionDeleted(session_id=1)).when(ForgetMemory(1)).then_rejected(
        NotFoundError, "session_not_found"
    )


def test_recalling_is_a_fact() -> None:
    given(ONE, stored()).when(RecallMemories(None, (1,), "search")).then(recalled(1, session_id=None, cause="search"))
    given(ONE).when(RecallMemories(1, (), "similar")).then_nothing()


def test_what_is_used_is_promoted_once_and_can_be_demoted() -> None:
    used = (ONE, stored(), recalled(1), recalled(1))
    given(*used).when(PromoteMemories(1)).then(PROMOTED)
    given(*used[:-1]).when(PromoteMemories(1)).then_nothing()
    given(*used, PROMOTED).when(PromoteMemories(1)).then_nothing()
    given(*used, forgotten()).when(PromoteMemories(1)).then_nothing()
    given(*used, PROMOTED).when(DemoteMemory(1)).then(DEMOTED)
    given(*used, PROMOTED, DEMOTED).when(DemoteMemory(1)).then_nothing()
    given(ONE).when(PromoteMemories(7)).then_rejected(NotFoundError, "session_not_found")


def test_a_cleanup_forgets_what_was_hardly_used() -> None:
    given(ONE, stored()).when(CleanUpMemories((1, 9))).then(forgotten(cause="cleanup"))
    given(ONE, stored(), recalled(1), recalled(1, 9)).when(CleanUpMemories((1,))).then_nothing()
    given(ONE, stored(memory_type="semantic")).when(CleanUpMemories((1,))).then_nothing()
    given(ONE, stored(), forgotten()).when(CleanUpMemories((1,))).then_nothing()
    given(ONE, stored(), SessionDeleted(session_id=1)).when(CleanUpMemories((1,))).then_nothing()


def test_what_was_forgotten_is_restored() -> None:
    given(ONE, stored()).when(ForgetMemory(1)).then(forgotten())
    given(ONE, stored(), forgotten()).when(ForgetMemory(1)).then_nothing()
    given(ONE, stored(), forgotten()).when(RestoreMemory(1)).then(RESTORED)
    given(ONE, stored()).when(RestoreMemory(1)).then_nothing()
    given(ONE, stored(), forgotten(), RESTORED).when(store(2)).then(recalled(1))
    given(ONE, stored(), forgotten(), stored(2)).when(RestoreMemory(1)).then_rejected(
        ConflictError, "already_remembered", memory_id=2
    )
    for command in (ForgetMemory(3), RestoreMemory(3), DemoteMemory(3)):
        given(ONE, stored()).when(command).then_rejected(NotFoundError, "memory_not_found", memory_id=3)


def test_a_compression_puts_one_in_the_place_of_others() -> None:
    two = (ONE, stored(), stored(2, content_ref="b" * 64))
    shorter = store(3, origin="compressed", supersedes=(1, 2))
    given(*two).when(CompressMemories((shorter,), ())).then(
        stored(3, origin="compressed", supersedes=(1, 2)),
        forgotten(1, "compressed", superseded_by=3),
        forgotten(2, "compressed", superseded_by=3),
    )
    given(*two).when(CompressMemories((), (2,))).then(forgotten(2, "compressed"))
    given(*two, forgotten(2)).when(CompressMemories((shorter,))).then_rejected(NotFoundError, "memory_not_found")
    given(*two).when(CompressMemories((), (7,))).then_rejected(NotFoundError, "memory_not_found")


B, C = "b" * 64, "c" * 64


def compressed(number: int, *sources: int, **fields: Any) -> tuple[Event, ...]:
    made = stored(number, content_ref=C, origin="compressed", supersedes=sources, **fields)
    return made, *(forgotten(each, "compressed", superseded_by=number) for each in sources)


def back(*numbers: int) -> tuple[Event, ...]:
    return tuple(MemoryRestored(session_id=1, memory_id=number) for number in numbers)


def test_what_a_compression_puts_there_is_worth_what_it_stands_for() -> None:
    used = (ONE, stored(), *[recalled(1)] * 6, PROMOTED, stored(2, content_ref=B, memory_type="semantic"))
    made = store(3, origin="compressed", supersedes=(2, 1))
    first = given(*used).when(CompressMemories((made,)))
    kept = stored(3, origin="compressed", supersedes=(2, 1), memory_type="frequent", accesses=7)
    first.then(kept, forgotten(2, "compressed", superseded_by=3), forgotten(1, "compressed", superseded_by=3))
    given(ONE, stored(accesses=3)).when(CleanUpMemories((1,))).then_nothing()
    semantic = (ONE, stored(), stored(2, content_ref=B, memory_type="semantic"))
    events = memory.decide(*_both(*semantic), CompressMemories((made,)))
    assert isinstance(events[0], MemoryStored) and events[0].memory_type == "semantic"


def test_who_restores_one_that_was_compressed_undoes_the_compression() -> None:
    two = (ONE, stored(), stored(2, content_ref=B), *compressed(3, 1, 2))
    given(*two).when(RestoreMemory(2)).then(forgotten(3, "undone"), *back(1, 2))
    undone = (*two, forgotten(3, "undone"), *back(1, 2))
    again = [forgotten(each, "compressed", superseded_by=3) for each in (1, 2)]
    given(*undone).when(RestoreMemory(3)).then(*back(3), *again)
    given(*undone, *back(3), *again).when(RestoreMemory(1)).then(forgotten(3, "undone"), *back(1, 2))
    given(*two, forgotten(3)).when(RestoreMemory(2)).then(*back(2))  # what stood there was forgotten on purpose
    given(*two, forgotten(3)).when(RestoreMemory(3)).then(*back(3))


def test_the_text_of_what_is_undone_stands_in_nobodys_way() -> None:
    kept = (ONE, stored(1, content_ref=C), stored(2, content_ref=B), *compressed(3, 1, 2))
    given(*kept).when(RestoreMemory(1)).then(forgotten(3, "undone"), *back(1, 2))
    given(*kept, forgotten(3, "undone"), *back(1, 2)).when(RestoreMemory(3)).then(
        *back(3), *(forgotten(each, "compressed", superseded_by=3) for each in (1, 2))
    )
    stored_anew = (*kept, stored(4, content_ref=B))
    given(*stored_anew).when(RestoreMemory(1)).then(forgotten(3, "undone"), *back(1))  # the other text is there
    given(*stored_anew).when(RestoreMemory(2)).then_rejected(ConflictError, "already_remembered", memory_id=4)


def test_compressions_of_compressions_are_undone_together() -> None:
    first = (ONE, stored(), stored(2, content_ref=B), *compressed(3, 1, 2), stored(4, content_ref="d" * 64))
    both = (*first, *compressed(5, 3, 4))
    given(*both).when(RestoreMemory(3)).then(forgotten(5, "undone"), *back(3, 4))
    undone = (forgotten(5, "undone"), forgotten(3, "undone"), *back(1, 2, 4))
    given(*both).when(RestoreMemory(1)).then(*undone)


def test_a_text_of_two_sessions_that_become_one_is_one_memory() -> None:
    def one(*events: Event) -> list[Event]:
        return [*memory_undoing.one_of_each(*_both(*events), (2, 1))]

    both = (ONE, TWO, stored(1), stored(2, 2))
    assert one(*both) == [forgotten(1, "merged", superseded_by=2)]
    assert one(*both, recalled(1)) == [MemoryForgotten(session_id=2, memory_id=2, cause="merged", superseded_by=1)]
    assert one(*both, forgotten()) == []
    assert one(ONE, TWO, stored(1), stored(2, 2, content_ref=B)) == []
    strong = (ONE, TWO, stored(1, memory_type="semantic"), stored(2, 2), recalled(2, session_id=2))
    assert one(*strong) == [MemoryForgotten(session_id=2, memory_id=2, cause="merged", superseded_by=1)]


def _both(*events: Event) -> tuple[workspace.Workspace, memory_shelf.Shelf]:
    state = _State(workspace.initial_state(), memory_shelf.initial_state())
    for event in events:
        state = _evolve(state, event)
    return state.workspace, state.shelf


def test_events_about_what_is_not_there_change_nothing() -> None:
    given(ONE, forgotten(7), recalled(7), stored()).when(ForgetMemory(1)).then(forgotten())
