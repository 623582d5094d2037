"""Pinning messages."""

from commands.errors import NotFoundError
from commands.pins import PinMessages, UnpinMessages, decide
from commands.workspace import evolve, initial_state
from schema.compaction import MessagePinned, MessageUnpinned
from schema.sessions import SessionStarted
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given
STARTED = SessionStarted(session_id=5, name="n", provider="demo", origin="manual")
KNOWN = frozenset(("a", "b"))


def test_each_message_is_pinned_once() -> None:
    pinned = MessagePinned(session_id=5, ref="a", reason="why")
    given(STARTED).when(PinMessages(5, ("a", "a"), KNOWN, "why")).then(pinned)
    other = MessagePinned(session_id=5, ref="b")
    given(STARTED, pinned).when(PinMessages(5, ("a", "b"), KNOWN)).then(other)
    given(STARTED, pinned).when(PinMessages(5, ("a",), KNOWN)).then_nothing()


def test_what_is_not_pinned_need_not_be_unpinned() -> None:
    pinned = MessagePinned(session_id=5, ref="a")
    gone = MessageUnpinned(session_id=5, ref="a")
    given(STARTED, pinned).when(UnpinMessages(5, ("a", "b"), KNOWN)).then(gone)
    given(STARTED, pinned, gone).when(UnpinMessages(5, ("a",), KNOWN)).then_nothing()


def test_all_of_them_or_none() -> None:
    asked = given(STARTED).when(PinMessages(5, ("a", "x", "y"), KNOWN))
    asked.then_rejected(NotFoundError, "message_not_found", failed_refs=["x", "y"])
    asked = given(STARTED).when(UnpinMessages(5, ("x",), KNOWN))
    asked.then_rejected(NotFoundError, "message_not_found", failed_refs=["x"])
    given().when(PinMessages(5, ("a",), KNOWN)).then_rejected(NotFoundError, "session_not_found")
