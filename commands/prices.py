"""Prices: adopting a book, and pricing history anew. The state is the workspace's (commands/workspace.py)."""

from typing import assert_never

import msgspec

from commands.errors import ConflictError, NotFoundError
from commands.workspace import Workspace
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.registry import Event


class AdoptPriceBook(msgspec.Struct, frozen=True):
    """`hash` tells whether the book differs from the last one."""

    content: tuple[PriceRow, ...]
    hash: str


class Reprice(msgspec.Struct, frozen=True):
    """Price what began at event `from_` or later by an adopted book; None: the one in force. `head` is the position of
    the last event, where that is known: after it nothing has begun."""

    from_: int = 1
    book: str | None = None
    head: int | None = None


Command = AdoptPriceBook | Reprice


def decide(state: Workspace, command: Command) -> list[Event]:
    """The events that `command` causes, none when all is so already. Raises CommandError."""
    match command:
        case AdoptPriceBook(content, digest):
            if state.prices.book == digest or (not content and state.prices.book is None):
                return []
            return [PriceBookAdopted(content=content, hash=digest)]
        case Reprice(from_, book, head):
            events = _reprice(state, from_, book)
            return events if head is None or from_ <= head else []
        case _:
            assert_never(command)


def _reprice(state: Workspace, from_: int, book: str | None) -> list[Event]:
    prices = state.prices
    chosen = book or prices.book
    if chosen is None:
        raise ConflictError("no_price_book", "No prices were ever configured: there is nothing to price by.")
    if chosen not in prices.known:
        raise NotFoundError("price_book_not_found", f"No price book {chosen} was ever adopted.", book=chosen)
    repriced, since = prices.repriced or (None, 0)
    if chosen == repriced == prices.book and from_ >= since:
        return []
    return [RepricedFrom(book=chosen, from_=from_)]
