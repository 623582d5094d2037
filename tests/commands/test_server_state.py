"""What the MCP servers in process remember, as decisions."""

from commands.errors import GoneError
from commands.server_state import (
    Content,
    DeleteContext,
    RecordPruning,
    RecordThought,
    StoreContext,
    UpdateContext,
    bodies_of,
    decide,
)
from commands.workspace import evolve, initial_state
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.recorded import Body
from schema.server_state import ContextDeleted, ContextStored, ContextUpdated, TextPruned, ThoughtRecorded
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given
BODY = Body("r" * 64, b"text")
CONTENT = Content(BODY, True, 3)


def test_a_thought() -> None:
    command = RecordThought(key="k", number=2, total=3, next_needed=True, revises=1, thought="so", branch="b")
    given().when(command).then(
        ThoughtRecorded(key="k", number=2, total=3, next_needed=True, revises=1, thought="so", branch="b")
    )
    assert bodies_of(command) == ()


def test_a_context() -> None:
    store = StoreContext(session_id=1, context_id="c", content=CONTENT, title="t", tags="[]")
    given().when(store).then(
        ContextStored(
            session_id=1, context_id="c", content_ref=BODY.ref, is_json=True, original_size=4, compressed_size=3,
            title="t", tags="[]",
        )
    )  # fmt: skip
    assert bodies_of(store) == (BODY,)
    given().when(UpdateContext(session_id=1, context_id="c")).then_nothing()
    given().when(UpdateContext(session_id=1, context_id="c", title="u")).then(
        ContextUpdated(session_id=1, context_id="c", title="u")
    )
    update = UpdateContext(session_id=1, context_id="c", content=CONTENT)
    given().when(update).then(
        ContextUpdated(
            session_id=1, context_id="c", content_ref=BODY.ref, is_json=True, original_size=4, compressed_size=3
        )
    )
    assert (bodies_of(update), bodies_of(UpdateContext(context_id="c"))) == ((BODY,), ())
    given().when(DeleteContext(session_id=1, context_id="c")).then(ContextDeleted(session_id=1, context_id="c"))


def test_a_pruning() -> None:
    command = RecordPruning(
        prune_id="p", text=BODY, source_type="code", original_lines=9, removed=((1, 2),), used_fallback=True, goal="g"
    )
    given().when(command).then(
        TextPruned(
            prune_id="p", text_ref=BODY.ref, source_type="code", original_lines=9, removed=((1, 2),),
            used_fallback=True, goal="g",
        )
    )  # fmt: skip
    assert bodies_of(command) == (BODY,)


def test_an_erased_session_takes_no_more() -> None:
    erasing = SessionErasureRequested(session_id=1, counts=ErasedCounts())
    for command in (
        RecordThought(session_id=1, key="k", number=1, total=1, next_needed=False),
        DeleteContext(session_id=1, context_id="c"),
    ):
        given(erasing).when(command).then_rejected(GoneError, "content_erased")
