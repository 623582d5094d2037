"""What messages of /ws are made of, and from."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import msgspec

from api.live_frames import About
from projections.sessions import SessionRow, get_session
from proxy.providers import Catalogue
from schema.log import EventLog
from schema.recorded import Recorded
from schema.registry import Event

Fields = dict[str, object]
Said = Iterator[tuple[str, About, Fields]]  # type, what it is about, fields
Say = Callable[["View", Recorded], Said]
E = TypeVar("E", bound=Event)


class View(msgspec.Struct, frozen=True):
    """What messages are made of: the tables up to event `at`, and the log."""

    db: sqlite3.Connection
    catalogue: Catalogue
    log: EventLog
    at: int
    redact: Callable[[str], str]

    def session(self, session_id: int) -> SessionRow | None:
        return get_session(self.db, session_id, at=self.at)

    def max_context(self, session_id: int) -> int:
        row = self.session(session_id)
        return self.catalogue.max_context(row.provider, row.model) if row is not None else 0


def on(cls: type[E], say: Callable[[View, Recorded, E], Said]) -> tuple[type[Event], Say]:
    return cls, lambda view, recorded: say(view, recorded, cast(Any, recorded.event))
