"""One page of a list, with the number of all matches."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """`total` counts all matches, not only those on the page."""

    rows: list[T]
    total: int
