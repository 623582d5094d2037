"""What became of a session between two moments: its fields, and its context as it went upstream (contract N14)."""

import sqlite3
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api import views
from api.details import invalid
from api.errors import InvalidFieldError, beyond_head
from api.exchange_shapes import MsgDiff
from api.fields import PathId
from api.messages import difference
from api.reading import LIVE, Moment, moment_of, require_ready
from api.services import Use
from api.session_answers import living_session
from api.times import with_times
from projections.exchanges import exchange_refs
from projections.masks import ReplacementRow, replacements
from projections.pins import pinned_refs
from projections.session_stats import context_exchange, session_stats
from projections.sessions import get_session
from projections.timeline import list_events, position_at_time

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=[*LIVE, Depends(require_ready)])

_NOT_COMPARED = ("from_position", "position", "context", "defaults", "deleted", "erased")
Bound = Annotated[str, Query(min_length=1, max_length=64, description="An event position or an ISO-8601 time")]


class FieldChange(BaseModel):
    field: str
    before: Any
    after: Any


class Tokens(BaseModel):
    before: int
    after: int


class Diff(BaseModel):
    """`events` are those about the session after `from` and up to `to`; `messages` compares the context as it went
    upstream, `tokens` what it held. A field of a session that was not there yet is null."""

    model_config = ConfigDict(populate_by_name=True)

    session_id: int
    first: int = Field(alias="from")
    to: int
    events: int
    changes: list[FieldChange]
    messages: MsgDiff
    tokens: Tokens


class State(msgspec.Struct, frozen=True):
    """A session as of a position: what it says of itself, the messages it last sent, and those it had received."""

    fields: dict[str, object] = {}
    tokens: int = 0
    sent: tuple[str, ...] = ()
    received: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True):
    first: int
    to: int
    events: int
    before: State
    after: State
    known: dict[str, ReplacementRow]
    pinned: frozenset[str]


@router.get("/{session_id}/diff", response_model_exclude_unset=True)
async def diff(
    session_id: PathId,
    services: Use,
    first: Annotated[Bound, Query(alias="from")],
    to: Bound,
) -> Diff:
    """From one moment to a later one."""
    moments = moment_of(first, "from"), moment_of(to, "to")
    found = (await services.reads.run(_find, session_id, *moments)).value
    before, after = found.before, found.after
    messages = await difference(services, session_id, before.sent, after.sent, found.known)
    theirs = {*before.received, *after.received}
    for each in (*messages.added, *messages.removed):
        each.origin = "proxy" if each.ref not in theirs else "assistant" if each.role == "assistant" else "client"
        each.pinned = each.ref in found.pinned
    return Diff.model_validate(
        {
            "session_id": session_id,
            "from": found.first,
            "to": found.to,
            "events": found.events,
            "changes": [
                {"field": name, "before": before.fields.get(name), "after": after.fields.get(name)}
                for name in dict.fromkeys((*after.fields, *before.fields))
                if before.fields.get(name) != after.fields.get(name)
            ],
            "messages": messages,
            "tokens": {"before": before.tokens, "after": after.tokens},
        }
    )


def _find(db: sqlite3.Connection, session_id: int, first: Moment, last: Moment, *, at: int) -> Found:
    """Raises NotFoundError and ApiError 422."""
    low, high = _position(db, "from", first, at), _position(db, "to", last, at)
    if low > high:
        entry = invalid("greater_than_equal", ("query", "to"), "Input should not be before `from`", high)
        raise InvalidFieldError([entry])
    living_session(db, session_id, at=high)
    events = list_events(db, at=at, session_id=session_id, from_position=low + 1, to_position=high, limit=1).total
    return Found(
        low,
        high,
        events,
        _state(db, session_id, low),
        _state(db, session_id, high),
        replacements(db, session_id, at=high),
        pinned_refs(db, session_id, at=high),
    )


def _position(db: sqlite3.Connection, name: str, moment: Moment, head: int) -> int:
    if moment.ms is not None:
        return position_at_time(db, moment.ms, at=head)
    position = moment.position or 0
    if position > head:
        raise beyond_head(("query", name), position, head)
    return position


def _state(db: sqlite3.Connection, session_id: int, at: int) -> State:
    row = get_session(db, session_id, at=at)
    if row is None:
        return State()
    stats = session_stats(db, session_id, at=at)
    fields = {**msgspec.structs.asdict(row), **views.compaction_fields(row), **msgspec.structs.asdict(stats)}
    shown = with_times({name: value for name, value in fields.items() if name not in _NOT_COMPARED})
    exchange = context_exchange(db, session_id, at=at)
    received, sent = (exchange_refs(db, exchange, at=at) if exchange is not None else None) or ((), ())
    return State(shown, stats.context_tokens, sent, received)
