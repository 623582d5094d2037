"""What a read model is: its name and version, its tables, and one function for each event that changes them.

A projection reads and writes only its own tables, so that it can be dropped, rebuilt or stopped alone. Rows that are
only ever added carry the `position` of their event; entities that change are kept as versions that hold from
`from_position` (inclusive) to `to_position` (exclusive, NULL while they hold). So a query answers for any position.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar, cast

import msgspec

from schema.recorded import Recorded
from schema.registry import Event

Handler = Callable[[sqlite3.Connection, Recorded], None]
E = TypeVar("E", bound=Event)


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is data and never changes; a higher `version` or other `tables` (DDL) make the runner build it anew."""

    name: str
    version: int
    tables: tuple[str, ...]
    handles: Mapping[type[Event], Handler]

    @property
    def ddl(self) -> str:
        return ";\n".join(self.tables)


class Log(Protocol):
    """What the read side needs of the event log."""

    def head(self) -> int:
        """Position of the last event, 0 for an empty log."""

    def read(self, after: int = 0, *, limit: int | None = None) -> list[Recorded]:
        """Events with a position above `after`, ascending."""


def on(cls: type[E], apply: Callable[[sqlite3.Connection, Recorded, E], None]) -> tuple[type[Event], Handler]:
    """An entry of `handles`: `apply` gets the event in its own type."""

    def handler(db: sqlite3.Connection, recorded: Recorded) -> None:
        apply(db, recorded, cast(E, recorded.event))

    return cls, handler
