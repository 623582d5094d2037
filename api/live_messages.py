"""Events as the messages of /ws (contract 5).

What is said of an exchange is as of its event; what is said of a session is as it stands now. So a message that comes
late, after a pause of the client, says the same as it would have said at once.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from api import views
from api.live_alerts import alert, auto_alert, level_rises
from api.session_answers import DetailRows
from api.times import iso
from projections.exchange_rows import ExchangeRow
from projections.exchanges import get_exchange
from projections.session_stats import session_stats
from projections.sessions import SessionRow, get_session
from projections.timeline import EventRow, get_event
from projections.workspace import active_session_id
from proxy.providers import Catalogue
from schema.context import ContentMasked, ContentRetrieved, OutputsMasked, SanitizerDisabled, SanitizerEnabled
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
)
from schema.log import EventLog
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, SessionActivated

Fields = dict[str, object]
E = TypeVar("E", bound=Event)
_ERROR_TYPES = {
    "upstream_unreachable": "connect_error",
    "upstream_timeout": "timeout_error",
    "upstream_invalid": "read_error",
}
# as providers word the refusal of a request that is too long
_TOO_LONG = re.compile(
    r"context_length_exceeded|context (length|window|size)|maximum (context|prompt)|prompt is too long|too many tokens"
    r"|exceeds? the (maximum|limit|model)|input is too long|token count .{0,40}exceeds",
    re.IGNORECASE,
)
_MOST_DELETED = 1_000  # in one request
_encode = msgspec.json.Encoder().encode


class Message(msgspec.Struct, frozen=True):
    """`session_id` is None where it concerns all; `feed` marks those that only a feed of events gets."""

    position: int
    session_id: int | None
    text: str
    feed: bool = False


class View(msgspec.Struct, frozen=True):
    """What messages are made of: the tables up to event `at`, and the log."""

    db: sqlite3.Connection
    catalogue: Catalogue
    log: EventLog
    at: int

    def session(self, session_id: int) -> SessionRow | None:
        return get_session(self.db, session_id, at=self.at)

    def max_context(self, session_id: int) -> int:
        row = self.session(session_id)
        return self.catalogue.max_context(row.provider, row.model) if row is not None else 0


def message(kind: str, position: int, session_id: int | None, fields: Mapping[str, object]) -> Message:
    return Message(position, session_id, text_of(kind, position, fields))


def text_of(kind: str, position: int, fields: Mapping[str, object]) -> str:
    return _encode({"type": kind, "position": position, **fields}).decode()


def init(rows: DetailRows, catalogue: Catalogue, position: int, *, limit: int) -> Message:
    """What a page begins with."""
    detail = views.session_detail(rows.session, rows.stats, rows.exchanges, catalogue, limit=limit)
    kept = detail.model_dump(include={"session", "stats", "recent_metrics"})
    return message("init", position, rows.session.id, kept)


def render(
    db: sqlite3.Connection, catalogue: Catalogue, log: EventLog, events: Sequence[Recorded], *, feed: bool, at: int
) -> list[Message]:
    """The messages about `events`, in their order; with `feed` also one for each event."""
    view = View(db, catalogue, log, at)
    found: list[Message] = []
    for recorded in events:
        say = _SAYS.get(type(recorded.event))
        if say is not None:
            found += [message(kind, recorded.position, about, fields) for kind, about, fields in say(view, recorded)]
        if feed:
            found += _event(view, recorded)
    return found


Said = Iterator[tuple[str, int | None, Fields]]


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


def _renamed(view: View, recorded: Recorded, event: SessionRenamed) -> Said:
    row = view.session(event.session_id)
    if row is not None:
        fields = {"session_id": row.id, "session_name": row.name, "session": views.session(row).model_dump()}
        yield "session_updated", row.id, fields


def _deleted(view: View, recorded: Recorded, event: SessionDeleted) -> Said:
    yield "session_deleted", event.session_id, {"session_id": event.session_id}
    numbers = _deleted_together(view.log, recorded)
    if numbers:
        yield "sessions_bulk_deleted", None, {"session_ids": numbers, "deleted_count": len(numbers)}


def _deleted_together(log: EventLog, last: Recorded) -> list[int]:
    """All sessions that one request deleted, once `last` is the last of them; a bulk write has no event of its own."""
    after = log.at(last.position + 1)
    if after is not None and _together(after, last):
        return []
    before = log.read(max(last.position - _MOST_DELETED, 0), upto=last.position)
    first = next((index for index, each in enumerate(reversed(before)) if not _together(each, last)), len(before))
    return [each.session_id for each in before[len(before) - first :] if each.session_id is not None]


def _together(one: Recorded, other: Recorded) -> bool:
    return isinstance(one.event, SessionDeleted) and one.correlation_id == other.correlation_id


def _toggled(view: View, recorded: Recorded, event: Event) -> Said:
    fields: Fields = {
        "session_id": active_session_id(view.db, at=recorded.position),
        "enabled": isinstance(event, AutoSessionEnabled),
    }
    yield "auto_session_toggled", None, fields


def _sanitizer(view: View, recorded: Recorded, event: SanitizerEnabled | SanitizerDisabled) -> Said:
    change = {"type": "toggled", "enabled": isinstance(event, SanitizerEnabled)}
    yield "sanitizer_event", None, {"session_id": None, "event": change}


def _content_masked(view: View, recorded: Recorded, event: ContentMasked) -> Said:
    of = event.output
    yield _masked(event.session_id, [of.hash], of.tokens_before - of.tokens_after)


def _outputs_masked(view: View, recorded: Recorded, event: OutputsMasked) -> Said:
    yield _masked(event.session_id, [output.hash for output in event.outputs], event.tokens_saved)


def _masked(session_id: int, hashes: list[str], saved: int) -> tuple[str, int | None, Fields]:
    change = {"type": "masked", "hashes": [each[:16] for each in hashes], "tokens_saved": saved}
    return "sanitizer_event", session_id, {"session_id": session_id, "event": change}


def _retrieved(view: View, recorded: Recorded, event: ContentRetrieved) -> Said:
    change = {"type": "retrieved", "hashes": [event.hash[:16]]}
    yield "sanitizer_event", event.session_id, {"session_id": event.session_id, "event": change}


def _exchange_started(view: View, recorded: Recorded, event: ExchangeStarted) -> Said:
    row = get_exchange(view.db, event.exchange_id, at=recorded.position)
    if row is None:
        return
    stats = session_stats(view.db, event.session_id, at=recorded.position)
    metric = views.metric(row, view.catalogue)
    shown = {
        **metric.model_dump(),
        "cumulative_tokens": row.sent_tokens,
        "delta_tokens": row.sent_tokens - stats.context_tokens,
        "system_tokens": row.system_tokens,
        "history_tokens": max(row.sent_tokens - row.system_tokens, 0),
    }
    fields = {
        "session_id": event.session_id,
        "metric": shown,
        "session_updated": stats.total_requests == 1,
        "alert": alert(metric.percentage),
    }
    yield "metric", event.session_id, fields


def _finished(view: View, recorded: Recorded, event: Finished) -> Said:
    session_id, at = event.session_id, recorded.position
    row = get_exchange(view.db, event.exchange_id, at=at)
    if row is None:
        return
    before = session_stats(view.db, session_id, at=at - 1).context_tokens
    after = session_stats(view.db, session_id, at=at).context_tokens
    window = view.catalogue.max_context(row.provider, row.model_sent)
    yield "metric_updated", session_id, _metric_updated(row, after, window)
    most = view.max_context(session_id)
    if level_rises(before, after, most):
        yield "compaction_alert", session_id, {"session_id": session_id, "alert": auto_alert(after, most)}
    if isinstance(event, ExchangeFailed):
        yield from _failed(row, event, recorded, window)


def _metric_updated(row: ExchangeRow, context: int, window: int) -> Fields:
    usage = row.usage
    used = views.percent(context, window)
    return {
        "metric_id": row.id,
        "session_id": row.session_id,
        "real_tokens": {
            "total": usage.total_tokens,
            "prompt": usage.prompt_tokens,
            "completion": usage.completion_tokens,
            "percentage": views.percent(usage.total_tokens, window),
        },
        "cumulative_tokens": context,
        "cumulative_percentage": used,
        "alert": alert(used),
        "source": "proxy",
        "is_estimated": usage.source != "measured",
        "outcome": row.outcome,
    }


def _failed(row: ExchangeRow, event: ExchangeFailed, recorded: Recorded, window: int) -> Said:
    text = event.error_message or event.error_code
    if event.http_status in (400, 413) and _TOO_LONG.search(text):
        fields: Fields = {
            "session_id": row.session_id,
            "error": text,
            "provider": row.provider,
            "model": row.model_sent,
            "estimated_tokens": row.sent_tokens,
            "max_context": window,
            "message": f"{row.provider} refused about {row.sent_tokens:,} tokens as too long.",
        }
        yield "provider_context_limit_error", row.session_id, fields
    yield (
        "streaming_error",
        row.session_id,
        {
            "session_id": row.session_id,
            "metric_id": row.id,
            "error_type": _ERROR_TYPES.get(event.error_code, "unknown"),
            "error_message": text,
            "timestamp": iso(recorded.timestamp),
        },
    )


def _event(view: View, recorded: Recorded) -> list[Message]:
    row = get_event(view.db, recorded.position, at=view.at)
    if row is None:
        return []
    fields = {"event": views.event_summary(row).model_dump(), "state": _state(view, row)}
    return [Message(row.position, row.session_id, text_of("event", row.position, fields), feed=True)]


def _state(view: View, row: EventRow) -> Fields | None:
    """Of the event's session, else of the active one; None where there is none."""
    number = row.session_id if row.session_id is not None else active_session_id(view.db, at=row.position)
    if number is None:
        return None
    tokens = session_stats(view.db, number, at=row.position).context_tokens
    most = view.max_context(number)
    return {
        "session_id": number,
        "context_tokens": tokens,
        "max_context": most,
        "percentage": views.percent(tokens, most),
    }


def _on(cls: type[E], say: Callable[[View, Recorded, E], Said]) -> tuple[type[Event], Callable[[View, Recorded], Said]]:
    return cls, lambda view, recorded: say(view, recorded, cast(Any, recorded.event))


_SAYS: Mapping[type[Event], Callable[[View, Recorded], Said]] = dict(
    (
        _on(SessionStarted, _started),
        _on(SessionActivated, _activated),
        _on(SessionRenamed, _renamed),
        _on(SessionDeleted, _deleted),
        _on(AutoSessionEnabled, _toggled),
        _on(AutoSessionDisabled, _toggled),
        _on(SanitizerEnabled, _sanitizer),
        _on(SanitizerDisabled, _sanitizer),
        _on(ContentMasked, _content_masked),
        _on(OutputsMasked, _outputs_masked),
        _on(ContentRetrieved, _retrieved),
        _on(ExchangeStarted, _exchange_started),
        _on(ExchangeCompleted, _finished),
        _on(ExchangeFailed, _finished),
        _on(ExchangeCancelled, _finished),
        _on(ExchangeInterrupted, _finished),
    )
)
