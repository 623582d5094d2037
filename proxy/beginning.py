"""Begin an exchange: find or start its session, and hand ExchangeStarted to the log.

From the resolution on nothing is awaited, so that parallel requests see each other's sessions and chains. The commit
runs beside the upstream call.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import msgspec

from commands import exchanges
from commands.handling import CommandHandler
from commands.sessions import StartSession
from commands.workspace import family
from proxy.budgeting import Budgeting
from proxy.chains import ChainIndex, Match
from proxy.facts import FactsCache, Opening, RequestFacts
from proxy.forwarding import Forward, forward_long
from proxy.long_requests import facts_in_pieces
from proxy.memory import REF_BYTES, SessionMemories, SessionMemory
from proxy.new_bodies import envelope_of, new_messages
from proxy.openai_errors import LimitRefusal
from proxy.openings import Openings
from proxy.providers import Route
from proxy.reducing import Prepared
from proxy.refusals import Refusals, context_stream, over_limit, too_long
from proxy.remembering import remembered
from proxy.resolution import Found, New, Resolver, Scope
from proxy.running import Incoming, Registry, Running
from proxy.sending import Sender, Sending
from proxy.signals import BodySignals, Signal, body_signal
from proxy.wire import ChatRequest
from schema.appending import Appender
from schema.appends import Append
from schema.compaction import EVENTS as COMPACTION_EVENTS
from schema.erasure import SessionErasureRequested
from schema.exchanges import ExchangeRefused, ExchangeStarted, Resolution
from schema.log import EventLog
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Metadata, NewEvent
from schema.unreadable import UnreadableEventError

_INLINE_BYTES = 64 << 10  # of messages that are not known yet; more is counted in a thread


class Recording(msgspec.Struct, frozen=True):
    """`contents` False keeps hashes and counts only; `durable` waits for the disk as well."""

    contents: bool = True
    durable: bool = False


class Beginner:
    """Begins exchanges; runs on the event loop. With `enforced`, what does not fit the model's window is refused, with
    `budgeting`, what there is not enough left for."""

    def __init__(
        self,
        log: EventLog,
        appender: Appender,
        handler: CommandHandler,
        resolver: Resolver,
        chains: ChainIndex,
        facts: FactsCache,
        memories: SessionMemories,
        registry: Registry,
        recording: Recording,
        sender: Sender,
        *,
        enforced: bool = False,
        budgeting: Budgeting | None = None,
    ) -> None:
        self._log = log
        self._appender = appender
        self._handler = handler
        self._resolver = resolver
        self._chains = chains
        self._facts = facts
        self._memories = memories
        self._registry = registry
        self._recording = recording
        self._sender = sender
        self._enforced = enforced
        self._budgeting = budgeting
        self.refusals = Refusals(appender.append_later)
        self.openings = Openings()
        self._next_exchange_id = log.max_id("exchange_id") + 1

    def decided(self, events: Sequence[NewEvent]) -> None:
        """What was decided beside the traffic holds for the next request."""
        for new in events:
            if isinstance(new.event, SessionErasureRequested):
                self._forget(new.event.session_id)
            elif isinstance(new.event, SessionsMerged):
                for number in (new.event.target_id, *new.event.source_ids):
                    self._forget(number)
                    self._chains.move_all(number, new.event.target_id)
            elif isinstance(new.event, ExchangeReassigned):
                self._chains.move(new.event.exchange_id, new.event.from_, new.event.to)
                self._forget_spending(new.event.from_, new.event.to)
            if isinstance(new.event, COMPACTION_EVENTS):
                session_id = getattr(new.event, "session_id", 0)
                memory = self._memories.get(session_id)
                if memory is not None:
                    memory.decided(new, time.time_ns() // 1_000_000)
                self._sender.drop(session_id)

    def _forget(self, session_id: int) -> None:
        """What is remembered of it is folded from the log again, where it is needed."""
        self._memories.drop(session_id)
        self._sender.drop(session_id)
        self.openings.clear()
        self._forget_spending(session_id)

    def _forget_spending(self, *sessions: int) -> None:
        if self._budgeting is not None:
            for number in sessions:
                self._budgeting.budgets.forget(number)

    def facts(self, request: ChatRequest, opening: Opening | None) -> RequestFacts | None:
        """What is known of the messages; None where a long text or very many must be counted first: `long_facts`."""
        return self._facts.of_request(request.messages, _INLINE_BYTES, opening)

    async def long_facts(self, request: ChatRequest) -> RequestFacts:
        return await facts_in_pieces(self._facts, request.messages)

    async def long_forward(self, body: bytes, request: ChatRequest, route: Route) -> Forward:
        """What `forward` gives, of a long body, and the envelope of what is sent."""
        return await asyncio.to_thread(forward_long, body, request, route, self._facts.text_ref)

    def refused(self, incoming: Incoming, refusal: LimitRefusal) -> None:
        """A limit did not let the request through: no session is started for it."""
        caller = incoming.caller
        scope = self._resolver.scope(caller.credential, caller.family)
        resolved = self._resolver.resolve(_signal(incoming), scope, incoming.facts, retry=caller.retry)
        event = over_limit(refusal, incoming, _known(resolved), self._tokens(incoming, incoming.facts))
        metadata = Metadata(actor="proxy", by=incoming.key, correlation_id=incoming.request_id)
        for new in self.refusals.tell(event, metadata):
            self._appender.append_later(Append(events=[new], metadata=metadata, keep=True))

    async def begin(self, incoming: Incoming) -> Running:
        """Waits only where a session of an earlier run must be read first. Raises Refusal."""
        caller, facts = incoming.caller, incoming.facts
        family = caller.family
        scope = self._resolver.scope(caller.credential, family)
        signal = _signal(incoming)
        prepared: Prepared | None = None
        looked = not self._sender.is_long(facts)
        while True:  # what was true before a wait may not be after it
            resolved = self._resolver.resolve(signal, scope, facts, retry=caller.retry)
            if isinstance(resolved, Found) and self._memories.get(resolved.match.session_id) is None:
                await self._remember(resolved.match.session_id)
            elif self._budgeting is not None and not self._budgeting.knows(_known(resolved)):
                await self._budgeting.learn(_known(resolved))
            elif not looked:
                looked, prepared = True, await self._prepared(incoming, resolved)
                if prepared is None:
                    break
            else:
                break
        if prepared is not None and prepared.session_id != _known(resolved):
            prepared = None
        if self._budgeting is not None and isinstance(resolved, New):
            self._check_new(self._budgeting, incoming)
        return self._begin(incoming, facts, scope, family, resolved, prepared)

    def _check_new(self, budgeting: Budgeting, incoming: Incoming) -> None:
        """No session is started for what cannot be paid. Raises LimitRefusal."""
        try:
            budgeting.affordable(None, incoming, self._tokens(incoming, incoming.facts))
        except LimitRefusal as refusal:
            self.refused(incoming, refusal)
            raise

    async def _prepared(self, incoming: Incoming, resolved: Found | New) -> Prepared | None:
        """What a long conversation that is new, or new after a restart, needs before it can be reduced."""
        session_id = _known(resolved)
        memory = self._memories.get(session_id) if session_id is not None else None
        return await self._sender.prepare(incoming, session_id, memory or SessionMemory())

    def _begin(
        self,
        incoming: Incoming,
        facts: RequestFacts,
        scope: Scope,
        family: str | None,
        resolved: Found | New,
        prepared: Prepared | None = None,
    ) -> Running:
        new_events: list[NewEvent] = []
        if isinstance(resolved, New):
            match, new_events = self._start_session(incoming, facts, scope, family, resolved)
        else:
            match = resolved.match
        exchange_id = self._next_exchange_id
        self._next_exchange_id += 1
        memory = self._memories.get(match.session_id)
        if memory is None:
            memory = self._memories.put(match.session_id, SessionMemory())
        if prepared is not None:
            self._sender.adopt(match.session_id, prepared)
        tools = self._tools(incoming)
        sending = self._sender.sending(incoming, facts, match.session_id, exchange_id, memory, tools)
        new_events += sending.decided
        tokens = tools + facts.tokens - sending.saved
        if self._enforced and tokens > incoming.max_context:
            self._withdraw(match.session_id, memory, sending)
            refusal, event = too_long(incoming, match.session_id, tokens)
            self._append_refused(incoming, match.session_id, event, new_events)
            raise refusal
        budgeting, wanted = self._budgeting, None
        if budgeting is not None:
            try:
                wanted = budgeting.affordable(match.session_id, incoming, tokens)
            except LimitRefusal as over:
                self._withdraw(match.session_id, memory, sending)
                event = over_limit(over, incoming, match.session_id, tokens)
                self._append_refused(incoming, match.session_id, event, new_events)
                raise
        new_events += [NewEvent(context_stream(match.session_id), event) for event in sending.events]
        new_events.append(
            self._started(incoming, scope, match, resolved.resolution, exchange_id, memory, sending, tools)
        )
        metadata = Metadata(actor="proxy", by=incoming.key or family, correlation_id=incoming.request_id)
        committed = self._appender.append(
            Append(
                events=new_events,
                metadata=metadata,
                begins=(exchanges.stream(exchange_id),),
                durable=self._recording.durable,
                keep=True,
            ),
            partial(self._refused, match.session_id),
        )
        running = Running(
            session_id=match.session_id,
            exchange_id=exchange_id,
            rule=resolved.resolution.rule,
            chain=self._chains.begin(match, exchange_id, scope.chains, facts),
            scope=scope,
            canons=facts.canons,
            tokens=tokens,
            saved=sending.saved,
            metadata=metadata,
            committed=committed,
            arrived=incoming.arrived,
            body=sending.body,
            decided=bool(sending.events or sending.decided),
            reserved=budgeting.reserve(match.session_id, incoming, tokens, wanted) if budgeting and wanted else None,
        )
        self._registry.add(running)
        return running

    def _withdraw(self, session_id: int, memory: SessionMemory, sending: Sending) -> None:
        """What was masked for a request that does not go upstream is not."""
        for held in sending.new:
            memory.replaced.withdraw(held)
        self._sender.drop(session_id)

    def _append_refused(
        self, incoming: Incoming, session_id: int, refused: ExchangeRefused, decided: list[NewEvent]
    ) -> None:
        metadata = Metadata(actor="proxy", by=incoming.key, correlation_id=incoming.request_id)
        events = [*decided, *self.refusals.tell(refused, metadata)]
        if events:
            append = Append(events=events, metadata=metadata, keep=True)
            self._appender.append(append, partial(self._refused, session_id))

    def _start_session(
        self, incoming: Incoming, facts: RequestFacts, scope: Scope, family: str | None, new: New
    ) -> tuple[Match, list[NewEvent]]:
        session_id = self._handler.next_session_id()
        command = StartSession(
            session_id=session_id,
            name=self._name(facts),
            provider=incoming.provider,
            model=incoming.model_key,
            origin=new.origin,
            activate=new.activate,
            rule=new.resolution.rule,
            parent_id=new.resolution.parent_id,
            client_family=family,
            key_hash=new.key_hash,
            scope=scope.credential,
        )
        events = self._handler.decide(command)
        self._resolver.started(session_id, self._handler.state.sessions[session_id])
        self._memories.put(session_id, SessionMemory())
        return Match(session_id), events

    def _name(self, facts: RequestFacts) -> str:
        """Of a new session: how it begins, where contents are recorded."""
        begins = (facts.preview or "")[:60].strip() if self._recording.contents else ""
        return begins or time.strftime("Session %H:%M:%S", time.gmtime())

    def _started(
        self,
        incoming: Incoming,
        scope: Scope,
        match: Match,
        resolution: Resolution,
        exchange_id: int,
        memory: SessionMemory,
        sending: Sending,
        tools: int,
    ) -> NewEvent:
        facts = incoming.facts
        base = match.chain.exchange_id if match.chain else None
        tokens = facts.tokens + tools
        recalled = sum([each for _, each in facts.recalled])
        received = memory.received.difference(facts.refs, base, tokens, facts.system_tokens, recalled)
        memory.received.began(exchange_id, facts.refs, received)
        sent_list = None
        if sending.refs != facts.refs:
            recalled = _still_sent(facts, sending.refs) if recalled else 0
            left = tokens - sending.saved
            sent_list = memory.sent.difference(sending.refs, base, left, facts.system_tokens, recalled)
        memory.sent.began(exchange_id, sending.refs, sent_list or received)
        bodies = new_messages(incoming, facts, memory, received)
        for body in sending.bodies:
            memory.stored((bytes.fromhex(body.ref),))
            bodies.append(body)
        envelope = sent = envelope_of(incoming.request.envelope, self._facts, memory, bodies)
        if incoming.sent_body is not incoming.body:
            sent = envelope_of(sending.envelope, self._facts, memory, bodies)
        event = ExchangeStarted(
            session_id=match.session_id,
            exchange_id=exchange_id,
            model_requested=incoming.request.model,
            model_sent=incoming.model_sent,
            provider=incoming.provider,
            stream=incoming.request.stream,
            resolution=resolution,
            client_family=incoming.caller.family,
            key=incoming.key,
            received=received,
            sent=sent_list,
            envelope_ref=envelope,
            sent_envelope_ref=None if sent == envelope else sent,
            chain=self._chains.prefix(scope.chains, facts.canons, facts.count).hex(),
            skipped_reason=sending.skipped_reason,
            steps=sending.steps or None,
            over_threshold=sending.over_threshold or None,
            preview=facts.preview if self._recording.contents else None,
        )
        kept = tuple(bodies) if self._recording.contents else ()
        (decided,) = exchanges.decide(exchanges.initial_state(), exchanges.BeginExchange(event))
        return NewEvent(exchanges.stream(exchange_id), decided, kept)

    def _tokens(self, incoming: Incoming, facts: RequestFacts) -> int:
        return facts.tokens + self._tools(incoming)

    def _tools(self, incoming: Incoming) -> int:
        """Tokens of the tools' schemas."""
        tools = incoming.request.tools
        return self._facts.text_tokens(bytes(tools)) if tools is not None else 0

    async def _remember(self, session_id: int) -> None:
        try:
            memory = await asyncio.to_thread(remembered, self._log, family(self._handler.state, session_id))
        except UnreadableEventError:  # the request goes to another session then
            self._resolver.unreadable(session_id)
            return
        if self._memories.get(session_id) is None:
            self._memories.put(session_id, memory)

    def _refused(self, session_id: int) -> None:
        """An append that was refused leaves memory ahead of the log: drop it."""
        self._memories.drop(session_id)
        self._handler.dropped()
        self._sender.drop(session_id)


def _signal(incoming: Incoming) -> Signal | None:
    request = incoming.request
    return incoming.caller.signal or body_signal(
        BodySignals(request.metadata, request.prompt_cache_key, request.previous_response_id)
    )


def _still_sent(facts: RequestFacts, refs: bytes) -> int:
    """Tokens of what comes from memories and goes upstream as it came."""
    sent = {refs[at : at + REF_BYTES] for at in range(0, len(refs), REF_BYTES)}
    return sum(tokens for ref, tokens in facts.recalled if ref in sent)


def _known(resolved: Found | New) -> int | None:
    return resolved.match.session_id if isinstance(resolved, Found) else None
