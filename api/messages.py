"""Messages as people read them: what a client sent, what went upstream, and what differs (contract N16, MsgDiff)."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.errors import ApiError
from api.exchange_shapes import MessageReduction, Msg, MsgDiff, Rewritten
from api.fields import FROM_TEXT, Offset, PathId, QueryId
from api.missing import contents_of, erased_sessions, not_there
from api.reading import PAST, Reads
from api.services import Services, Use
from api.session_answers import living_session
from context.messages import count_message, decode_message, text_of
from projections.exchange_rows import ExchangeRow
from projections.exchanges import exchange_refs, get_exchange, recent_metrics
from projections.masks import ReplacementRow, replacements
from projections.pins import pinned_refs
from projections.session_stats import forked_from
from proxy.contents import MissingContentError

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=PAST)

PREVIEW = 2_000  # characters
View = Literal["received", "sent"]
Content = Literal["preview", "full", "none"]


class Messages(BaseModel):
    """`exchange_id` is null where the session has had none; `total` and `tokens` are of the whole list. `others` are
    the further choices of the answer, where more than one was asked for: no part of the conversation."""

    session_id: int
    exchange_id: int | None
    view: View
    messages: list[Msg]
    total: int
    tokens: int
    others: list[Msg] = []


class ListedExchange(msgspec.Struct, frozen=True):
    exchange: ExchangeRow
    received: tuple[str, ...]
    sent: tuple[str, ...]
    known: dict[str, ReplacementRow]
    pinned: frozenset[str]


@router.get("/{session_id}/messages", response_model_exclude_unset=True)
async def messages(
    session_id: PathId,
    reads: Reads,
    services: Use,
    view: View = "received",
    exchange_id: QueryId = None,
    content: Content = "preview",
    limit: Annotated[int, Interval(ge=1, le=1000), FROM_TEXT, Query()] = 200,
    offset: Offset = 0,
) -> Messages:
    """The messages of an exchange, by default the session's latest: as the client sent them, with the answer, or as
    they went upstream. What was erased or never recorded is 410; with `content=none`, which asks for nothing of it, the
    messages are named all the same."""
    found = await reads.run(listed_exchange, session_id, exchange_id)
    if found is None:
        return Messages(session_id=session_id, exchange_id=None, view=view, messages=[], total=0, tokens=0, others=[])
    answer = found.exchange.answer_ref if view == "received" else None
    refs = [*(found.sent if view == "sent" else found.received), *((answer,) if answer else ())]
    own = frozenset(found.received)
    known = found.known if view == "sent" else {}
    origin = found.exchange.origin
    gaps = content == "none"
    every = await asyncio.to_thread(_shown, services, session_id, origin, refs, content, known, gaps=gaps)
    for index, each in enumerate(every):
        each.pinned = each.ref in found.pinned
        if answer is not None and index == len(every) - 1:
            each.origin = "assistant"
        elif each.ref not in own:
            each.origin = "proxy"
    choices = found.exchange.other_refs if view == "received" else ()
    others = await asyncio.to_thread(_shown, services, session_id, origin, choices, content, {}, gaps=gaps)
    for each in others:
        each.origin = "assistant"
    return Messages(
        session_id=session_id,
        exchange_id=found.exchange.id,
        view=view,
        messages=every[offset : offset + limit],
        total=len(every),
        tokens=_tokens(found.exchange, view, every, answered=answer is not None),
        others=others,
    )


def _tokens(exchange: ExchangeRow, view: View, every: Sequence[Msg], *, answered: bool) -> int:
    """Of the messages; as they were counted when they came, where the log does not hold them."""
    single = [each.tokens for each in every if each.tokens]
    if len(single) == len(every):
        return sum(single)
    counted = exchange.sent_tokens if view == "sent" else exchange.received_tokens
    return counted + (exchange.usage.completion_tokens if answered else 0)


def listed_exchange(
    db: sqlite3.Connection, session_id: int, exchange_id: int | None, *, at: int
) -> ListedExchange | None:
    """That exchange, or the session's latest, which is another session's where a fork goes on from it; None where it
    has had none. Raises NotFoundError, ApiError 404."""
    living_session(db, session_id, at=at)
    fork = forked_from(db, session_id, at=at)
    inherited = fork.exchange_id if fork is not None else None
    if exchange_id is None:
        latest = recent_metrics(db, session_id, at=at, limit=1)
        exchange_id = latest[0].id if latest else inherited
    if exchange_id is None:
        return None
    moment = fork.source_at if fork is not None and exchange_id == inherited else at
    exchange, refs = get_exchange(db, exchange_id, at=moment), exchange_refs(db, exchange_id, at=at)
    if exchange is None or refs is None or (exchange.session_id != session_id and exchange_id != inherited):
        text = f"Session {session_id} has no exchange {exchange_id}."
        raise ApiError(404, "exchange_not_found", text, context={"exchange_id": exchange_id})
    pinned = pinned_refs(db, session_id, at=at)
    return ListedExchange(exchange, *refs, replacements(db, session_id, at=at), pinned)


async def difference(
    services: Services,
    session_id: int,
    received: Sequence[str],
    sent: Sequence[str],
    known: Mapping[str, ReplacementRow],
    *,
    origin: int | None = None,
) -> MsgDiff:
    """What was left out of the received list on its way up, what was put in, and what was sent in another form.
    Messages that the log does not hold stand in it without what they said."""
    if received == sent:
        return MsgDiff(added=[], removed=[], rewritten=[])
    before, after = frozenset(received), frozenset(sent)
    rewritten = [
        Rewritten(ref_before=known[ref].ref, ref_after=ref, stage=known[ref].stage)
        for ref in sent
        if ref not in before and ref in known and known[ref].ref in before
    ]
    gone, come = {each.ref_before for each in rewritten}, {each.ref_after for each in rewritten}
    removed = [ref for ref in received if ref not in after and ref not in gone]
    added = [ref for ref in sent if ref not in before and ref not in come]
    shown = await asyncio.to_thread(_shown, services, session_id, origin, [*removed, *added], "preview", {}, gaps=True)
    for each in shown[len(removed) :]:
        each.origin = "proxy"
    return MsgDiff(added=shown[len(removed) :], removed=shown[: len(removed)], rewritten=rewritten)


def _shown(
    services: Services,
    session_id: int,
    origin: int | None,
    refs: Sequence[str],
    content: Content,
    known: Mapping[str, ReplacementRow],
    *,
    gaps: bool = False,
) -> list[Msg]:
    """Raises ApiError 410 where the log does not hold a message, unless there may be `gaps`. `origin` is the session
    that an exchange which was moved began in."""
    contents, erased = contents_of(services, session_id, origin), session_id in erased_sessions(services)
    found: list[Msg] = []
    for index, ref in enumerate(refs):
        try:
            found.append(_message(services, index, ref, contents.body(ref), content))
        except MissingContentError:
            if not gaps:
                raise not_there(services, session_id) from None
            found.append(_gone(index, ref, erased=erased))
    for each in found:
        if each.ref in known:
            each.reduction = _reduction(known[each.ref])
    return found


def _gone(index: int, ref: str, *, erased: bool) -> Msg:
    """A message of which only its ref is left, or was ever recorded."""
    return Msg(
        index=index,
        ref=ref,
        role=None if erased else "",
        content=None,
        truncated=False,
        tokens=None if erased else 0,
        pinned=False,
        origin="client",
        reduction=None,
        erased=erased,
    )


def _reduction(row: ReplacementRow) -> MessageReduction:
    return MessageReduction(
        stage=row.stage, mask_hash=row.hash[:16], tokens_before=row.tokens_before, tokens_after=row.tokens_after
    )


def _message(services: Services, index: int, ref: str, body: bytes, content: Content) -> Msg:
    fields = decode_message(body)
    tokens = count_message(fields, services.count)
    if content != "full":  # what is shown in part is no contents to rely on, and a key has no business in it
        fields = _redacted(fields, services.redact)
    shown, truncated = _content(fields.get("content"), content)
    more: dict[str, Any] = {}
    if isinstance(fields.get("tool_calls"), list):
        more["tool_calls"] = fields["tool_calls"] if content == "full" else _short_calls(fields["tool_calls"])
    if isinstance(fields.get("tool_call_id"), str):
        more["tool_call_id"] = fields["tool_call_id"]
    return Msg(
        index=index,
        ref=ref,
        role=str(fields.get("role")),
        content=shown,
        truncated=truncated,
        tokens=tokens,
        pinned=False,
        origin="client",
        reduction=None,
        **more,
    )


def _redacted(fields: dict[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    text = msgspec.json.encode(fields).decode()
    redacted = redact(text)
    return fields if redacted == text else decode_message(redacted.encode())


def _content(value: object, content: Content) -> tuple[object, bool]:
    if content == "full":
        return value, False
    if content == "none":
        return None, value is not None
    text = text_of(value)
    if isinstance(value, str) or len(text) > PREVIEW:
        return text[:PREVIEW], len(text) > PREVIEW
    whole = msgspec.json.encode(value)  # parts such as pictures
    return (value, False) if len(whole) <= PREVIEW else (text, True)


def _short_calls(calls: list[Any]) -> list[Any]:
    whole = msgspec.json.encode(calls)
    return calls if len(whole) <= PREVIEW else [{"id": call.get("id")} for call in calls if isinstance(call, dict)]
