"""Where the end of a conversation begins that stays word for word."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from context.turns import role_of


class Item(msgspec.Struct, frozen=True):
    """A message of the context: its tokens as it goes upstream now, and whole; `ours` is a digest of before."""

    message: Mapping[str, Any]
    ref: str
    tokens: int
    whole: int
    ours: bool = False


Cut = Callable[[Sequence[Item]], int]  # where the tail begins, before it is moved to a legal place


def keep_last(messages: int) -> Cut:
    """The tail is the last messages."""
    return lambda items: max(len(items) - messages, 0)


def keep_tokens(most: int, messages: int) -> Cut:
    """The tail is what fits into `most` tokens, at least the last messages."""

    def cut(items: Sequence[Item]) -> int:
        at, room = len(items), most
        while at > 0 and (room - items[at - 1].whole >= 0 or len(items) - at < messages):
            at -= 1
            room -= items[at].whole
        return at

    return cut


def keep_exchanges(count: int) -> Cut:
    """The tail is the last answers of the assistant, with what was asked before the first of them."""

    def cut(items: Sequence[Item]) -> int:
        answers = [index for index, item in enumerate(items) if role_of(item.message) == "assistant"]
        at = answers[-count] if 0 < count <= len(answers) else 0 if count else len(items)
        while at > 0 and role_of(items[at - 1].message) == "user":
            at -= 1
        return at

    return cut
