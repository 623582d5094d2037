"""What a fork takes with it: the context of a session as of an earlier event, read from the tables as of then, with the
bodies from the log."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api.context_desk import Subject, subject
from api.errors import ApiError
from api.reading import Moment
from commands.forking import ForkSession
from commands.handling import CommandHandler
from commands.workspace import require
from projections.compaction import DecisionRow, get_decision
from projections.exchange_rows import ExchangeRow
from projections.exchanges import exchange_refs, get_exchange
from projections.masks import MaskRow, list_masks
from projections.pins import PinRow, list_pins
from projections.session_stats import forked_from
from projections.store import ReadPool
from projections.timeline import position_at_time
from proxy.contents import MissingContentError, SessionContents
from proxy.memory import SessionMemory
from proxy.prefixes import Prefix
from proxy.remembering import remembered
from schema.compaction import LeftOut
from schema.exchanges import MessageRefs
from schema.forking import CarriedContext, CarriedDecision, CarriedExchange, CarriedReplacement, SessionForked
from schema.log import EventLog
from schema.recorded import Body

_ALL = 1 << 31
_MOST_NAME = 200  # characters
_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True):
    """The exchange whose messages the context is, as of then, with its whole lists."""

    exchange: ExchangeRow
    received: tuple[str, ...]
    sent: tuple[str, ...]


class Found(msgspec.Struct, frozen=True):
    subject: Subject
    line: Line | None
    masks: list[MaskRow]
    pins: list[PinRow]


class Forks:
    """Works out commands; changes nothing."""

    def __init__(self, log: EventLog, reads: ReadPool, handler: CommandHandler) -> None:
        self._log, self._reads, self._handler = log, reads, handler

    async def command(
        self, session_id: int, moment: Moment, name: str | None = None, *, activate: bool = False
    ) -> ForkSession:
        """The session as of a moment, in a new session. The tables must have caught up.

        Raises NotFoundError, GoneError, AtOutOfRangeError, and ApiError 410 where the log does not hold its
        messages."""
        at = (await self._reads.run(_position, moment.ms, at=moment.position)).value
        require(self._handler.state, session_id)
        found = (await self._reads.run(_find, session_id, at=at)).value
        memory = await asyncio.to_thread(remembered, self._log, found.subject.sessions, upto=found.subject.at)
        decisions = await self._decisions(memory.prefixes.all(), found.subject.at)
        new = self._handler.next_session_id()
        forked = _forked(new, found, memory, decisions)
        bodies = await asyncio.to_thread(self._bodies, found, forked)
        row = found.subject.session
        return ForkSession(
            session_id=session_id,
            name=name or f"{row.name} (from event {found.subject.at})"[-_MOST_NAME:],
            provider=row.provider,
            model=row.model,
            client_family=row.client_family,
            forked=forked,
            bodies=bodies,
            activate=activate,
        )

    async def _decisions(self, prefixes: list[Prefix], at: int) -> list[tuple[CarriedDecision, str | None]]:
        """Those in force, in their order, each under a new number, with its summary."""
        numbers = {prefix.number: self._handler.next_decision_id() for prefix in prefixes}
        rows = (await self._reads.run(_rows_of, list(numbers), at=at)).value
        return [
            (_carried(prefix, rows[prefix.number], numbers), rows[prefix.number].summary)
            for prefix in prefixes
            if prefix.number in rows
        ]

    def _bodies(self, found: Found, forked: SessionForked) -> tuple[Body, ...]:
        """Raises ApiError 410 where a message of the context is not there; of the others what is there is taken."""
        of = found.subject
        contents = SessionContents(self._log, *of.sessions, upto=of.at)
        needed = list(dict.fromkeys(_of_context(forked)))
        beside = list(dict.fromkeys(ref for ref in _beside(forked) if ref not in set(needed)))
        try:
            bodies = [Body(ref, contents.body(ref)) for ref in needed]
        except MissingContentError:
            text = "The contents of this session were not recorded."
            raise ApiError(410, "content_not_recorded", text, context={"session_id": of.session.id}) from None
        for ref in beside:
            try:
                bodies.append(Body(ref, contents.body(ref)))
            except MissingContentError:
                continue
        return tuple(bodies)


def _position(db: sqlite3.Connection, ms: int | None, *, at: int) -> int:
    return at if ms is None else position_at_time(db, ms, at=at)


def _find(db: sqlite3.Connection, session_id: int, *, at: int) -> Found:
    """Raises NotFoundError."""
    of = subject(db, session_id, at=at)
    return Found(
        of,
        _line(db, of),
        list_masks(db, at=at, session_id=session_id, limit=_ALL, offset=0).rows,
        list_pins(db, session_id, at=at, limit=_ALL, offset=0).rows,
    )


def _line(db: sqlite3.Connection, of: Subject) -> Line | None:
    if of.exchange_id is None:
        return None
    fork = forked_from(db, of.session.id, at=of.at)
    number = _newest(db, of, of.exchange_id)
    inherited = fork is not None and fork.exchange_id == number
    exchange = get_exchange(db, number, at=fork.source_at if fork is not None and inherited else of.at)
    refs = exchange_refs(db, number, at=of.at)
    return Line(exchange, *refs) if exchange is not None and refs is not None else None


def _newest(db: sqlite3.Connection, of: Subject, number: int) -> int:
    """The last exchange that had begun of the line that an exchange belongs to: it may have been running."""
    rows = db.execute(
        "SELECT exchange_id FROM exchange_chains WHERE exchange_id > :id AND chain ="
        " (SELECT chain FROM exchange_chains WHERE exchange_id = :id) ORDER BY exchange_id DESC",
        {"id": number},
    ).fetchall()
    for (later,) in rows:
        exchange = get_exchange(db, int(later), at=of.at)
        if exchange is not None and exchange.session_id == of.session.id:
            return exchange.id
    return number


def _rows_of(db: sqlite3.Connection, numbers: list[int], *, at: int) -> dict[int, DecisionRow]:
    found = (get_decision(db, number, at=at) for number in numbers)
    return {row.number: row for row in found if row is not None}


def _carried(prefix: Prefix, row: DecisionRow, numbers: Mapping[int, int]) -> CarriedDecision:
    on = prefix.edit.builds_on
    return CarriedDecision(
        kind=row.kind,
        number=numbers[prefix.number],
        copy_of=prefix.number,
        performed_at=row.timestamp,
        decided_on=row.decided_on,
        trigger_reason=row.trigger,
        edit=msgspec.structs.replace(prefix.edit, builds_on=numbers.get(on) if on is not None else None),
        removed_refs=tuple(row.refs),
        summary_ref=row.summary_ref,
        tokens_before=row.tokens_before,
        tokens_after=row.tokens_after,
        messages_before=row.messages_before,
        messages_after=row.messages_after,
        system_preserved=row.system_preserved,
        recent_preserved=row.recent_preserved,
        model=row.model,
    )


def _forked(
    new: int, found: Found, memory: SessionMemory, decisions: list[tuple[CarriedDecision, str | None]]
) -> SessionForked:
    of = found.subject
    masks = list({row.hash: row for row in reversed(found.masks)}.values())  # parts may have masked the same text
    return SessionForked(
        session_id=new,
        source_id=of.session.id,
        at=of.at,
        exchange=_exchange(found.line) if found.line is not None else None,
        context=CarriedContext(**msgspec.structs.asdict(of.session.context)),
        context_tokens=of.stats.context_tokens,
        masks=tuple(LeftOut(row.hash, row.ref, row.tool, row.tokens) for row in masks),
        replaced=tuple(CarriedReplacement(held.stage, held.output) for held in memory.replaced.all()),
        decisions=tuple(decision for decision, _ in decisions),
        pins=tuple(row.ref for row in found.pins),
        previews=_texts([row.preview for row in masks]),
        summaries=_texts([summary for _, summary in decisions]),
        pin_reasons=_texts([row.reason for row in found.pins]),
    )


def _texts(texts: list[str | None]) -> str | None:
    return _encode(texts).decode() if any(texts) else None


def _exchange(line: Line) -> CarriedExchange:
    row = line.exchange
    fields: dict[str, Any] = {"tokens": row.sent_tokens, "system_tokens": row.system_tokens}
    measured = row.usage.source == "measured"
    return CarriedExchange(
        exchange_id=row.id,
        received=MessageRefs(
            added=line.received,
            count=len(line.received),
            tokens=row.received_tokens,
            system_tokens=row.system_tokens,
        ),
        sent=None if row.sent_identical else MessageRefs(added=line.sent, count=len(line.sent), **fields),
        envelope_ref=row.envelope_ref,
        sent_envelope_ref=None if row.sent_envelope_ref == row.envelope_ref else row.sent_envelope_ref,
        answer_ref=row.answer_ref,
        counted_tokens=row.sent_tokens,
        measured_tokens=row.usage.prompt_tokens if measured else None,
    )


def _of_context(forked: SessionForked) -> Iterator[str]:
    """The refs of what the context is made of."""
    exchange = forked.exchange
    if exchange is not None:
        yield from (exchange.envelope_ref, exchange.sent_envelope_ref or exchange.envelope_ref)
        yield from exchange.received.added
        yield from exchange.sent.added if exchange.sent is not None else ()
        yield from (exchange.answer_ref,) if exchange.answer_ref is not None else ()
    for decision in forked.decisions:
        yield from (inserted.ref for inserted in decision.edit.inserted)


def _beside(forked: SessionForked) -> Iterator[str]:
    """Those of what other lines of conversation need, what can be asked for, and what is pinned."""
    yield from (each.output.replacement_ref for each in forked.replaced)
    yield from (each.ref for each in forked.masks)
    yield from (decision.summary_ref for decision in forked.decisions)
    yield from forked.pins
