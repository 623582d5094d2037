"""Given events, then rows: what a projection's tables must hold."""

from typing import Any

import msgspec

from projections.declaration import Projection
from schema.registry import Event


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """After `given`, at positions from 1, `select` answers `rows`. Nothing but the projection's tables is there."""

    title: str
    projection: Projection
    given: tuple[Event, ...]
    select: str
    rows: list[tuple[Any, ...]]
