"""How an event says what it is: one short line and the words that it is found by, never message contents."""

from collections.abc import Callable
from typing import Any, TypeVar

from schema.registry import Event

Words = tuple[str | None, ...]
Summary = Callable[[Any, str], tuple[str, Words]]  # of an event and, of an exchange, its model's label
E = TypeVar("E", bound=Event)


def says(cls: type[E], say: Callable[[E, str], tuple[str, Words]]) -> tuple[type[Event], Summary]:
    return cls, say


def model_label(provider: str, model: str) -> str:
    """`provider/model`, also where the model's name says its provider already."""
    return model if model.startswith(f"{provider}/") else f"{provider}/{model}"
