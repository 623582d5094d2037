"""Events as the messages of /ws (contract 5).

What is said of an exchange is as of its event; what is said of a session is as it stands now. So a message that comes
late, after a pause of the client, says the same as it would have said at once.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from api import live_context, live_exchanges, live_ledgers, views
from api.live_frames import Message, frame_of, message
from api.live_view import Fields, Said, Say, View, on
from api.session_answers import DetailRows
from projections.session_costs import session_cost
from projections.session_stats import session_stats
from projections.timeline import EventRow, get_event
from projections.workspace import active_session_id
from proxy.providers import Catalogue
from schema.erasure import SessionErased
from schema.log import EventLog
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, SessionActivated

_MOST_DELETED = 1_000  # in one request


def init(rows: DetailRows, catalogue: Catalogue, position: int, *, limit: int) -> Message:
    """What a page begins with."""
    detail = views.session_detail(rows.session, rows.stats, rows.exchanges, catalogue, limit=limit)
    kept = detail.model_dump(include={"session", "stats", "recent_metrics"})
    return message("init", position, rows.session.id, kept)


def render(
    db: sqlite3.Connection,
    catalogue: Catalogue,
    log: EventLog,
    redact: Callable[[str], str],
    events: Sequence[Recorded],
    *,
    feed: bool,
    at: int,
) -> list[Message]:
    """The messages about `events`, in their order; with `feed` also one for each event."""
    view = View(db, catalogue, log, at, redact)
    found: list[Message] = []
    for recorded in events:
        say = _SAYS.get(type(recorded.event))
        if say is not None:
            found += [message(kind, recorded.position, about, fields) for kind, about, fields in say(view, recorded)]
        if feed:
            found += _event(view, recorded)
    return found


def _started(view: View, recorded: Recorded, event: SessionStarted) -> Said:
    row = view.session(event.session_id)
    if row is None:
        return
    session = views.session_x(row, view.catalogue).model_dump()
    if event.origin == "manual":
        yield "new_session", event.session_id, {"session": session}
    else:
        fields: Fields = {"session": session, "provider": event.provider, "model": event.model}
        yield "auto_session_created", event.session_id, fields


def _activated(view: View, recorded: Recorded, event: SessionActivated) -> Said:
    row = view.session(event.session_id)
    if row is not None:
        session = views.session_x(row, view.catalogue).model_dump()
        yield "session_activated", row.id, {"session_id": event.session_id, "session": session}


def _changed(view: View, recorded: Recorded, event: SessionRenamed | SessionErased | ExchangeReassigned) -> Said:
    row = view.session(event.session_id)
    if row is not None:
        fields = {"session_id": row.id, "session_name": row.name, "session": views.session(row).model_dump()}
        yield "session_updated", row.id, fields


def _merged(view: View, recorded: Recorded, event: SessionsMerged) -> Said:
    row = view.session(event.target_id)
    if row is not None:
        fields = {"session_id": row.id, "session_name": row.name, "session": views.session(row).model_dump()}
        yield "session_updated", row.id, fields
    for number in event.source_ids:
        yield "session_deleted", number, {"session_id": number}


def _deleted(view: View, recorded: Recorded, event: SessionDeleted) -> Said:
    yield "session_deleted", event.session_id, {"session_id": event.session_id}
    numbers = _deleted_together(view.log, recorded)
    if numbers:
        yield "sessions_bulk_deleted", tuple(numbers), {"session_ids": numbers, "deleted_count": len(numbers)}


def _deleted_together(log: EventLog, last: Recorded) -> list[int]:
    """All sessions that one request deleted, once `last` is the last of them; a bulk write has no event of its own."""
    left = _left(last)
    if left is None:
        return _deleted_before_it_was_said(log, last)
    if left:
        return []
    found: list[int] = []
    for each in reversed(log.read(max(last.position - _MOST_DELETED, 0), upto=last.position)):
        if _left(each) != len(found) or each.session_id is None:
            break
        found.append(each.session_id)
    return found[::-1]


def _left(recorded: Recorded) -> int | None:
    return recorded.event.left if isinstance(recorded.event, SessionDeleted) else None


def _deleted_before_it_was_said(log: EventLog, last: Recorded) -> list[int]:
    """Of a log that does not say what was deleted together: what one request wrote at one time, if that is several."""
    after = log.at(last.position + 1)
    if after is not None and _together(after, last):
        return []
    before = reversed(log.read(max(last.position - _MOST_DELETED, 0), upto=last.position))
    found = [each.session_id for each in takewhile(lambda each: _together(each, last), before)]
    return [number for number in reversed(found) if number is not None] if len(found) > 1 else []


def _together(one: Recorded, other: Recorded) -> bool:
    deleted = isinstance(one.event, SessionDeleted) and _left(one) is None
    return deleted and (one.correlation_id, one.timestamp) == (other.correlation_id, other.timestamp)


def _toggled(view: View, recorded: Recorded, event: Event) -> Said:
    fields: Fields = {
        "session_id": active_session_id(view.db, at=recorded.position),
        "enabled": isinstance(event, AutoSessionEnabled),
    }
    yield "auto_session_toggled", None, fields


def _event(view: View, recorded: Recorded) -> list[Message]:
    row = get_event(view.db, recorded.position, at=view.at)
    if row is None:
        return []
    fields = {"event": views.event_summary(row).model_dump(), "state": _state(view, row)}
    return [Message(row.position, row.session_id, frame_of("event", row.position, fields), feed=True)]


def _state(view: View, row: EventRow) -> Fields | None:
    """Of the event's session, else of the active one; None where there is none."""
    number = row.session_id if row.session_id is not None else active_session_id(view.db, at=row.position)
    if number is None:
        return None
    tokens = session_stats(view.db, number, at=row.position).context_tokens
    most = view.max_context(number)
    cost = session_cost(view.db, number, at=row.position)
    return {
        "session_id": number,
        "context_tokens": tokens,
        "max_context": most,
        "percentage": views.percent(tokens, most),
        **({"cost_usd": views.usd(cost)} if cost is not None else {}),
    }


_SAYS: Mapping[type[Event], Say] = {
    **dict(
        (
            on(SessionStarted, _started),
            on(SessionActivated, _activated),
            on(SessionRenamed, _changed),
            on(SessionErased, _changed),
            on(ExchangeReassigned, _changed),
            on(SessionsMerged, _merged),
            on(SessionDeleted, _deleted),
            on(AutoSessionEnabled, _toggled),
            on(AutoSessionDisabled, _toggled),
        )
    ),
    **live_context.SAYS,
    **live_exchanges.SAYS,
    **live_ledgers.SAYS,
}
