"""Decisions as sentences: `given(*events).when(command).then(*events)`.

A decider is three functions; a test file binds its own once: `given = Decider(initial_state, evolve, decide).given`.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from commands.errors import CommandError
from schema.registry import Event

S = TypeVar("S")
C = TypeVar("C")


class Decider(Generic[S, C]):
    """`evolve` may change the state in place: every sentence folds its own."""

    def __init__(
        self,
        initial_state: Callable[[], S],
        evolve: Callable[[S, Event], S],
        decide: Callable[[S, C], Sequence[Event]],
    ) -> None:
        self.initial_state, self.evolve, self.decide = initial_state, evolve, decide

    def given(self, *events: Event) -> "Given[S, C]":
        """The state after `events`."""
        return Given(self, events)

    def fold(self, events: Sequence[Event]) -> S:
        state = self.initial_state()
        for event in events:
            state = self.evolve(state, event)
        return state


class Given(Generic[S, C]):
    def __init__(self, decider: Decider[S, C], events: Sequence[Event]) -> None:
        self._decider, self._events = decider, events

    def when(self, command: C) -> "When[S, C]":
        return When(self._decider, self._events, command)


class When(Generic[S, C]):
    """A command on a state; each `then...` decides anew and checks that deciding changed nothing."""

    def __init__(self, decider: Decider[S, C], events: Sequence[Event], command: C) -> None:
        self._decider, self._events, self._command = decider, events, command

    def then(self, *expected: Event) -> None:
        """Exactly these events, in this order."""
        assert tuple(self._decided()) == expected

    def then_nothing(self) -> None:
        """All is so already."""
        self.then()

    def then_rejected(self, error: type[CommandError], code: str, **context: object) -> None:
        """Refused with an `error` of this class and code, which carries at least `context`."""
        try:
            events = self._decided()
        except CommandError as raised:
            assert (type(raised), raised.code) == (error, code)
            assert {name: raised.context.get(name) for name in context} == context
        else:
            raise AssertionError(f"not rejected: {events}")

    def _decided(self) -> Sequence[Event]:
        state = self._decider.fold(self._events)
        before = msgspec.json.encode(state)
        try:
            return self._decider.decide(state, self._command)
        finally:
            assert msgspec.json.encode(state) == before, "decide changed the state"
