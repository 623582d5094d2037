"""Where a compaction is worked out: from a session's stored messages to a plan, and from the plan to a command."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial

import msgspec

from api.errors import ApiError
from api.session_answers import living_session
from commands.compaction import Decide
from commands.workspace import Workspace, session_gone
from context.compaction import CompactionSettings, Plan, Refused, plan
from context.cuts import Cut, Item
from context.tokens import TextCounter
from projections.exchanges import get_exchange
from projections.session_stats import StatsRow, context_exchange, last_of_line, session_stats
from projections.sessions import SessionRow, family
from projections.workspace import sanitizer
from proxy.compacting import bodies_of, decision_fields
from proxy.contents import MissingContentError
from proxy.conversation import Conversation, conversation
from proxy.facts import FactsCache
from proxy.summarizing import Summary
from schema.compaction import CompactionPerformed, CompressionFailed, CompressionPerformed
from schema.log import EventLog


class Subject(msgspec.Struct, frozen=True):
    """A session as of `at`: itself and the sessions that its contents lie in, the exchange whose messages its context
    is, None without any, and whether outputs of tools
    go upstream replaced (None: as the configuration says)."""

    session: SessionRow
    stats: StatsRow
    sessions: tuple[int, ...]
    exchange_id: int | None
    sanitizes: bool | None
    at: int


class Planned(msgspec.Struct, frozen=True):
    """`conversation` is what was planned on; None where there is none."""

    made: Plan | Refused
    conversation: Conversation | None = None


class Desk:
    """`state` is what holds now; `reduces` says whether the configuration lets outputs be replaced at all, `sanitizes`
    whether while nobody has switched it."""

    def __init__(
        self,
        log: EventLog,
        facts: FactsCache,
        count: TextCounter,
        settings: CompactionSettings,
        state: Callable[[], Workspace],
        *,
        reduces: bool,
        sanitizes: bool,
    ) -> None:
        self._state = state
        self._log, self._facts, self._count, self._settings = log, facts, count, settings
        self._reduces, self._sanitizes = reduces, sanitizes

    async def plan(self, subject: Subject, cut: Cut, *, force: bool = False, summary: str | None = None) -> Planned:
        """What a compaction would do. Raises ApiError 410 and GoneError."""
        return await asyncio.to_thread(self._plan, subject, cut, force=force, summary=summary)

    async def conversation(self, subject: Subject) -> Conversation | None:
        """The session's context, None where it has had no exchange. Raises ApiError 410 and GoneError."""
        return await asyncio.to_thread(self._conversation, subject)

    async def plan_of(self, messages: list[dict[str, object]], cut: Cut) -> Plan | Refused:
        """What a compaction would do to any messages."""
        return await asyncio.to_thread(self._plan_of, messages, cut)

    def items(self, planned: Planned) -> list[Item]:
        """The messages that were planned on."""
        return planned.conversation.items(self._facts) if planned.conversation is not None else []

    def _plan_of(self, messages: list[dict[str, object]], cut: Cut) -> Plan | Refused:
        raw = [msgspec.json.encode(message) for message in messages]
        items: list[Item] = []
        for each, message in zip(raw, messages, strict=True):
            facts = self._facts.of(each)
            items.append(Item(message, facts.ref.hex(), facts.tokens, facts.tokens))
        return plan(items, cut, self._settings, self._count)

    def compact(self, subject: Subject, planned: Planned, number: int) -> Decide:
        """The command that carries a plan out."""
        made, found = planned.made, planned.conversation
        if not isinstance(made, Plan) or found is None:
            raise TypeError("there is no plan to carry out")
        fields = decision_fields(made, found.found, found.exchange_id, "manual", self._facts)
        event = CompactionPerformed(session_id=subject.session.id, history_id=number, **fields)
        return Decide(event, bodies_of(made))

    def compress(self, subject: Subject, planned: Planned, number: int, summary: Summary | None) -> Decide:
        """The same for a compression; `summary` is what a model was asked for."""
        made, found = planned.made, planned.conversation
        if not isinstance(made, Plan) or found is None:
            raise TypeError("there is no plan to carry out")
        fields = decision_fields(made, found.found, found.exchange_id, "manual", self._facts)
        written = summary is not None and summary.text is not None
        event = CompressionPerformed(
            session_id=subject.session.id,
            log_id=number,
            model=summary.model if summary is not None and written else None,
            summary_exchange_id=summary.exchange_id if summary is not None else None,
            **fields,
        )
        failed = None
        if summary is not None and not written:
            failed = CompressionFailed(
                session_id=subject.session.id,
                model=summary.model,
                error_code=summary.error_code,
                error_message=summary.error_message or None,
            )
        return Decide(event, bodies_of(made), failed)

    def _plan(self, subject: Subject, cut: Cut, *, force: bool, summary: str | None) -> Planned:
        found = self._conversation(subject)
        if found is None:
            return Planned(plan([], cut, self._settings, self._count))
        pinned = {ref.hex() for ref in found.memory.pins}
        make = partial(plan, found.items(self._facts), cut, self._settings, self._count, pinned=pinned)
        return Planned(make(force=force, summary=summary), found)

    def _conversation(self, subject: Subject) -> Conversation | None:
        if subject.exchange_id is None:
            return None
        switched = self._sanitizes if subject.sanitizes is None else subject.sanitizes
        try:
            return conversation(
                self._log,
                self._facts,
                subject.sessions,
                subject.exchange_id,
                upto=subject.at,
                reduced=self._reduces and switched,
            )
        except MissingContentError:
            number, state = subject.session.id, self._state()
            if number in state.erased:  # perhaps since the moment that is asked for
                raise session_gone(state, number) from None
            text = "The contents of this session were not recorded."
            raise ApiError(410, "content_not_recorded", text, context={"session_id": number}) from None


def subject(db: sqlite3.Connection, session_id: int, chosen: int | None = None, *, at: int) -> Subject:
    """`chosen` is an exchange of the line that is meant, by default the longest one. Raises NotFoundError and ApiError
    404."""
    session = living_session(db, session_id, at=at)
    switch = sanitizer(db, at=at)
    stats = session_stats(db, session_id, at=at)
    exchange_id = context_exchange(db, session_id, at=at) if chosen is None else last_of_line(db, chosen, at=at)
    exchange = get_exchange(db, exchange_id, at=at) if exchange_id is not None else None
    if chosen is not None and (exchange is None or exchange.session_id != session_id):
        text = f"Session {session_id} has no exchange {chosen}."
        raise ApiError(404, "exchange_not_found", text, context={"exchange_id": chosen})
    origin = (exchange.origin,) if exchange is not None and exchange.origin is not None else ()
    sessions = tuple(dict.fromkeys((*family(db, session_id, at=at), *origin)))
    return Subject(session, stats, sessions, exchange_id, switch.enabled if switch is not None else None, at)
