"""One event with what it changed and what it speaks of (contract N12).

What it changed is what the read tables say of the entities it is about, as of the event before it and as of itself.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api import shapes, views
from api.configuration_names import flat
from api.missing import contents_of, erased_sessions
from api.services import Services
from api.times import with_times
from context.messages import count_message, decode_message, text_of
from projections.exchanges import get_exchange
from projections.ledger_rows import get_task
from projections.memory_lists import get_memory
from projections.pins import pinned_refs
from projections.session_stats import session_stats
from projections.sessions import SessionRow, get_session
from projections.timeline import get_event
from projections.workspace import active_session_id, auto_session, configured, sanitizer
from proxy.contents import MissingContentError, SessionContents
from schema.compaction import CompactionReverted, MessagePinned, MessageUnpinned, PrefixDecision
from schema.context import SanitizerDisabled, SanitizerEnabled
from schema.exchanges import ExchangeStarted, Finished
from schema.forking import SessionForked
from schema.ledgers import TaskUsageImported
from schema.memory import MemoryRecalled, MemoryStored
from schema.moving import ExchangeReassigned
from schema.recorded import Recorded
from schema.registry import Event
from schema.sealing import SealError
from schema.unreadable import UnreadableEventError
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, ConfigurationLoaded, SessionActivated

Fields = Mapping[str, object]
_PREVIEW = 200  # characters
_UNSAID = ("id", "position", "started_position", "finished_position", "envelope_ref", "sent_envelope_ref", "erased")
_TEXTS = ("content", "metadata", "preview")  # of a memory: the event's own are shown


async def detail(services: Services, recorded: Recorded) -> shapes.EventDetail:
    """Waits until the read tables show the event. Raises ProjectionLagError."""
    await services.waiter.until(recorded.position)
    summary, changes = (await services.reads.run(_read, recorded)).value
    shown = views.event(recorded, summary or recorded.type, erased_sessions(services))
    refs = await asyncio.to_thread(_refs, services, recorded)
    return shapes.EventDetail(**shown.model_dump(), changes=changes, refs=refs)


def _read(db: sqlite3.Connection, recorded: Recorded, *, at: int) -> tuple[str | None, list[shapes.Change]]:
    row = get_event(db, recorded.position, at=at)
    before = dict(_entities(db, recorded, recorded.position - 1))
    after = dict(_entities(db, recorded, recorded.position))
    changes = [
        shapes.Change(entity=entity, field=field, before=before.get(entity, {}).get(field), after=value)
        for entity, fields in after.items()
        for field, value in fields.items()
        if before.get(entity, {}).get(field) != value
    ]
    gone = [
        shapes.Change(entity=entity, field=field, before=value, after=None)
        for entity, fields in before.items()
        for field, value in fields.items()
        if field not in after.get(entity, {}) and value is not None
    ]
    return row.summary if row is not None else None, changes + gone


def _entities(db: sqlite3.Connection, recorded: Recorded, at: int) -> Iterator[tuple[str, Fields]]:
    """What the event is about, as of event `at`; what is not there yet is left out."""
    event = recorded.event
    sessions = [recorded.session_id]
    if isinstance(event, SessionActivated):
        sessions.append(event.previous_id)
        yield "workspace", {"active_session": active_session_id(db, at=at)}
    for number in sessions:
        session = get_session(db, number, at=at) if number is not None else None
        if session is not None:
            stats = session_stats(db, session.id, at=at)
            yield f"session:{session.id}", {**_session(session), **_fields(stats), **_pins(db, event, session.id, at)}
    if recorded.exchange_id is not None:
        exchange = get_exchange(db, recorded.exchange_id, at=at)
        if exchange is not None:
            yield f"exchange:{exchange.id}", _fields(exchange)
    for number in _memories(event):
        memory = get_memory(db, number, at=at)
        if memory is not None:
            yield f"memory:{number}", {key: value for key, value in _fields(memory).items() if key not in _TEXTS}
    if isinstance(event, TaskUsageImported):
        task = get_task(db, event.tool, event.task_id, at=at)
        if task is not None:
            yield f"task:{event.tool}/{event.task_id}", with_times(msgspec.structs.asdict(task))
    if isinstance(event, AutoSessionEnabled | AutoSessionDisabled):
        yield "workspace", {"auto_session": auto_session(db, at=at).enabled}
    if isinstance(event, SanitizerEnabled | SanitizerDisabled):
        switch = sanitizer(db, at=at)
        yield "workspace", {"sanitizer": switch.enabled if switch is not None else None}
    if isinstance(event, ConfigurationLoaded):
        yield "configuration", flat(configured(db, at=at).values)


def _memories(event: Event) -> tuple[int, ...]:
    if isinstance(event, MemoryRecalled):
        return event.memory_ids
    number: int | None = getattr(event, "memory_id", None)
    return (number,) if number is not None else ()


def _session(row: SessionRow) -> Fields:
    """What is known of its context stands under the names that answers give it."""
    fields = {key: value for key, value in _fields(row).items() if not key.startswith(("context.", "defaults."))}
    return {**fields, **views.compaction_fields(row)}


def _pins(db: sqlite3.Connection, event: Event, session_id: int, at: int) -> Fields:
    if not isinstance(event, MessagePinned | MessageUnpinned):
        return {}
    return {"pinned_refs": sorted(pinned_refs(db, session_id, at=at))}


def _fields(row: msgspec.Struct) -> dict[str, Any]:
    fields = {key: value for key, value in flat(_plain(row)).items() if key not in _UNSAID}
    return with_times(fields)


def _plain(row: msgspec.Struct) -> dict[str, Any]:
    """Also what is as it is by default."""
    fields = msgspec.structs.asdict(row)
    return {
        key: _plain(value) if isinstance(value, msgspec.Struct) else _listed(value) for key, value in fields.items()
    }


def _listed(value: object) -> object:
    return msgspec.to_builtins(value) if isinstance(value, tuple) else value


def _refs(services: Services, recorded: Recorded) -> list[shapes.EventRef]:
    """The messages that the event names; without preview where the log does not hold them (any more)."""
    event = recorded.event
    if isinstance(event, ExchangeStarted):
        named = [*event.received.added, *(event.sent.added if event.sent else ())]
    elif isinstance(event, Finished):
        named = [*((event.answer_ref,) if event.answer_ref else ()), *event.other_refs]
    elif isinstance(event, PrefixDecision):
        named = [*event.removed_refs, *(inserted.ref for inserted in event.edit.inserted), event.summary_ref]
    elif isinstance(event, CompactionReverted):
        named = [*event.restored_refs]
    elif isinstance(event, MessagePinned | MessageUnpinned):
        named = [event.ref]
    elif isinstance(event, MemoryStored):
        return [_memory(services, recorded, event)]
    elif isinstance(event, ExchangeReassigned) and event.blob is not None:
        named = [*event.blob.refs]
    elif isinstance(event, SessionForked) and event.exchange is not None:
        exchange = event.exchange
        sent = exchange.sent.added if exchange.sent is not None else ()
        named = [*exchange.received.added, *sent, *((exchange.answer_ref,) if exchange.answer_ref else ())]
    else:
        return []
    own = _own(services, recorded.position)  # most lie there, and a long session is not read for them
    contents = contents_of(services, event.session_id) if any(ref not in own for ref in named) else None
    told = _told(event) if event.session_id in erased_sessions(services) else None
    return [_ref(services, own.get(ref) or _body(contents, ref), ref, told) for ref in dict.fromkeys(named)]


def _told(event: Event) -> dict[str, int]:
    """The tokens of single messages that the event itself tells."""
    if isinstance(event, ExchangeStarted):
        lists = (event.received, *((event.sent,) if event.sent else ()))
        return {each.added[0]: each.tokens for each in lists if each.count == len(each.added) == 1}
    if isinstance(event, Finished):
        alone = event.answer_ref is not None and not event.other_refs and event.usage.source != "none"
        said = event.usage.completion_tokens - (event.usage.reasoning_tokens or 0)
        return {event.answer_ref: said} if event.answer_ref is not None and alone else {}
    outputs = event.outputs if isinstance(event, PrefixDecision) else ()
    outputs = event.masks if isinstance(event, SessionForked) else outputs
    return {each.ref: each.tokens for each in outputs}


def _body(contents: SessionContents | None, ref: str) -> bytes | None:
    try:
        return contents.body(ref) if contents is not None else None
    except (MissingContentError, UnreadableEventError):
        return None


def _own(services: Services, position: int) -> dict[str, bytes]:
    """None where they do not open."""
    try:
        return services.log.bodies(position)
    except SealError:
        return {}


def _memory(services: Services, recorded: Recorded, event: MemoryStored) -> shapes.EventRef:
    data = _own(services, recorded.position).get(event.content_ref)
    preview = data.decode()[:_PREVIEW] if data is not None else None
    erased = data is None and event.session_id in erased_sessions(services)
    return shapes.EventRef(ref=event.content_ref, role=None, preview=preview, tokens=event.tokens, erased=erased)


def _ref(services: Services, body: bytes | None, ref: str, told: dict[str, int] | None) -> shapes.EventRef:
    """`told` are the tokens that are known without the message, None where it was not erased."""
    if body is None:
        tokens = told.get(ref) if told is not None else 0
        return shapes.EventRef(ref=ref, role=None, preview=None, tokens=tokens, erased=told is not None)
    message = decode_message(body)
    role, text = message.get("role"), text_of(message.get("content"))
    return shapes.EventRef(
        ref=ref,
        role=role if isinstance(role, str) else None,
        preview=services.redact(text[: 4 * _PREVIEW])[:_PREVIEW],
        tokens=count_message(message, services.count),
    )
