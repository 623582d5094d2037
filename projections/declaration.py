"""What a read model is: its name and version, its tables, and one function for each event that changes them.

A projection reads and writes only its own tables, so that it can be dropped, rebuilt or stopped alone. Rows that are
only ever added carry the `position` of their event; entities that change are kept as versions that hold from
`from_position` (inclusive) to `to_position` (exclusive, NULL while they hold). So a query answers for any position.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from schema.recorded import Recorded
from schema.registry import Event
from schema.unreadable import Unreadable

E = TypeVar("E", bound=Event)
S = TypeVar("S")
Handler = Callable[[Any, Recorded, Any], None]  # gets its event as well, in its own type
Contents = Callable[[int], Mapping[str, bytes]]  # the bodies stored with an event, by their refs; none once erased


class Fold(Protocol):
    """Rows in the making. What it keeps in memory is what the tables say, and what was not written yet."""

    def write(self) -> None:
        """Write what the events of a batch have led to."""

    def forget(self) -> None:
        """The tables are not what was written to them: read from them again."""


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is data and never changes; a higher `version` or other `tables` (DDL) make the runner build it anew.

    The functions of `handles` get what `fold` makes of the connection, and the event; without `fold`, the connection.
    `fold_contents` is a fold that also reads what is stored beside events.
    """

    name: str
    version: int
    tables: tuple[str, ...]
    handles: Mapping[type[Event], Handler]
    fold: Callable[[sqlite3.Connection], Fold] | None = None
    fold_contents: Callable[[sqlite3.Connection, Contents], Fold] | None = None

    @property
    def ddl(self) -> str:
        return ";\n".join(self.tables)

    def needs(self, type_name: str) -> bool:
        """Whether an event of this type that cannot be read leaves its tables wrong."""
        return Unreadable not in self.handles and any(cls.__name__ == type_name for cls in self.handles)


class Log(Protocol):
    """What the read side needs of the event log."""

    def head(self) -> int:
        """Position of the last event, 0 for an empty log."""

    def read(self, after: int = 0, *, limit: int | None = None) -> list[Recorded]:
        """Events with a position above `after`, ascending."""

    def bodies(self, position: int) -> dict[str, bytes]:
        """What is stored beside an event, by its refs."""


def on(cls: type[E], apply: Callable[[S, Recorded, E], None]) -> tuple[type[Event], Handler]:
    """An entry of `handles`."""
    return cls, apply
