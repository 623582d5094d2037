"""POST /chat/completions, as a raw ASGI handler: the hot path.

The upstream's bytes go to the client as they come. A watcher notices when the client leaves, also before the answer has
begun, and cancels the exchange, which closes the upstream connection.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec

from proxy.beginning import Beginner
from proxy.caller import Caller
from proxy.committing import committed
from proxy.finishing import Finisher
from proxy.forwarding import forward
from proxy.intake import ClientGoneError, Headers, Receive, Send, WhenGone, read_body
from proxy.leaving import Departure
from proxy.limiter import Limiter
from proxy.openai_errors import LimitRefusal, Refusal
from proxy.passing import Pass, fail_before, pass_answer, refuse
from proxy.providers import Catalogue, ModelNotFoundError, ProviderNotConfiguredError, Route
from proxy.rate import RequestRate
from proxy.retrying import Retrier
from proxy.running import Incoming, Running
from proxy.tries import calls
from proxy.upstream import Upstream, UpstreamRequest
from proxy.upstream_errors import UpstreamError
from proxy.wire import ChatRequest, WireError, check_messages


class Settings(msgspec.Struct, frozen=True):
    """`commit_first` waits for the commit of ExchangeStarted before the upstream call, not only before the answer."""

    max_body_bytes: int
    commit_first: bool = False


class ChatHandler:
    """`fallback_model` names the model of a request that names none; `upstream` chooses by route. `limiter` is None
    where nothing is limited; `key_names` are the names of clients' keys; `redact` takes configured secrets out of what
    a refusal repeats."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        beginner: Beginner,
        finisher: Finisher,
        upstream: Callable[[Route], Upstream],
        rate: RequestRate,
        fallback_model: Callable[[], str | None],
        *,
        limiter: Limiter | None = None,
        key_names: Mapping[str, str] | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._redact = redact
        self._settings = settings
        self._catalogue = catalogue
        self._beginner = beginner
        self._finisher = finisher
        self._upstream = upstream
        self._rate = rate
        self._fallback_model = fallback_model
        self._limiter = limiter
        self._retrier = Retrier(upstream, self._upstream_request, self._may_ask)
        self._key_names = key_names or {}

    def refused(self) -> Mapping[str, int]:
        """Requests that a limit refused since the start, by code."""
        return self._beginner.refusals.counts

    async def __call__(
        self,
        headers: Headers,
        receive: Receive,
        send: Send,
        *,
        request_id: str,
        caller: Caller,
        when_gone: WhenGone | None = None,
    ) -> None:
        """Answer one request. `headers` as in the ASGI scope, names in lower case; `caller` is made of them.
        `when_gone` tells when the client leaves, where the server can."""
        arrived = time.perf_counter()
        try:
            body = await read_body(receive, headers, self._settings.max_body_bytes)
            read = self._beginner.openings.read(body) or await self._beginner.openings.read_long(body)
            request = read.request
            facts = self._beginner.facts(request, read.opening) or await self._beginner.long_facts(request)
            if facts.fault is not None:
                check_messages(facts)
            self._beginner.openings.learn(body, read, facts)
            route = self._route(request)
        except ClientGoneError:
            return
        except WireError as error:
            await refuse(send, Refusal(400, error.message, error.code, error.param), request_id)
            return
        except Refusal as refusal:
            await refuse(send, refusal, request_id)
            return
        if read.long:
            sending = await self._beginner.long_forward(body, request, route)
        else:
            sending = forward(body, request, route)
        incoming = Incoming(
            body=body,
            request=request,
            facts=facts,
            headers=headers,
            caller=caller,
            request_id=request_id,
            arrived=arrived,
            sent_body=sending.body,
            sent_envelope=sending.envelope,
            provider=route.provider.key,
            model_key=route.model_key,
            model_sent=route.upstream_model,
            cached_price_ratio=route.provider.cached_price_ratio,
            max_context=route.max_context,
            key=self._key_names.get(caller.credential) if caller.credential is not None else None,
        )
        try:
            running = await self._begun(incoming, receive)
        except ClientGoneError:
            return
        except Refusal as refusal:
            await refuse(send, refusal, request_id)
            return
        departure = Departure(receive, when_gone)
        passing = Pass(
            send=send,
            running=running,
            request_id=request_id,
            injected=sending.injected,
            stop_watching=departure.stop,
            answered=self._finisher.answered,
        )
        await self._watched(passing, incoming, route, departure)

    async def _begun(self, incoming: Incoming, receive: Receive) -> Running:
        """Raises Refusal and ClientGoneError."""
        if self._limiter is None:
            self._rate.count()
            return await self._beginner.begin(incoming)
        client = _client(incoming)
        try:
            await self._limiter.enter(client, incoming.provider, incoming.key, receive)
        except LimitRefusal as refusal:
            self._beginner.refused(incoming, refusal)
            raise
        self._rate.count()
        try:
            return await self._beginner.begin(incoming)
        except Refusal:
            self._limiter.leave(client, incoming.provider, incoming.key)
            raise

    async def _watched(self, passing: Pass, incoming: Incoming, route: Route, departure: Departure) -> None:
        """Pass the exchange through; whatever happens, record exactly one end."""
        try:
            await self._exchange(passing, incoming, route)
        except asyncio.CancelledError:
            if passing.ending.kind != "completed":
                passing.ending.kind = "cancelled" if departure.happened else "interrupted"
            if not departure.happened:
                raise
            departure.take_back()
        finally:
            departure.stop()
            self._finisher.finish(passing.running, passing.ending)

    async def _exchange(self, passing: Pass, incoming: Incoming, route: Route) -> None:
        ending, running = passing.ending, passing.running
        if self._settings.commit_first or running.decided:
            await committed(running)
        request = self._upstream_request(incoming, running.body, route)
        ending.overhead_ms = (time.perf_counter() - running.arrived) * 1_000
        ending.reached = True
        called = time.perf_counter()
        try:
            if route.fallbacks or route.provider.retry is not None:
                opened = await self._retrier.open(incoming, running, route, ending, injected=passing.injected)
                answer, route, passing.injected = opened.answer, opened.route, opened.injected
            else:
                answer = await self._upstream(route).open(request)
                if answer.attempts > 1:  # a single one is told by the exchange itself
                    took_s = time.perf_counter() - called
                    ending.tries += calls(route, answer.attempts, answer.lost_s, took_s, http_status=answer.status)
        except UpstreamError as error:
            if not ending.tries:
                took_s = time.perf_counter() - called
                ending.tries += calls(route, error.attempts, error.lost_s, took_s, error_code=error.code)
            await fail_before(passing, error)
            return
        try:
            ending.http_status, ending.attempts = answer.status, answer.attempts
            if not running.committed.done():
                await committed(running)
            await pass_answer(passing, answer, context_limit=route.max_context)
        finally:
            await answer.aclose()

    def _may_ask(self, incoming: Incoming, provider: str) -> bool:
        return self._limiter is None or self._limiter.again(_client(incoming), provider)

    def _route(self, request: ChatRequest) -> Route:
        try:
            return self._catalogue.resolve(request.model, None if request.model else self._fallback_model())
        except ModelNotFoundError as error:
            raise Refusal(404, self._redact(str(error)), "model_not_found", "model") from None
        except ProviderNotConfiguredError as error:
            raise Refusal(502, str(error), "provider_not_configured") from None

    def _upstream_request(self, incoming: Incoming, body: bytes, route: Route) -> UpstreamRequest:
        provider = route.provider
        return UpstreamRequest(
            self._catalogue.chat_url(provider),
            incoming.caller.upstream(provider),
            body,
            provider.connect_timeout_s,
            provider.read_timeout_s,
            incoming.caller.own(provider, incoming.headers, incoming.request_id),
        )


def _client(incoming: Incoming) -> tuple[str | None, str | None]:
    """Whose turn it is: a named key, else a credential together with the kind of client."""
    if incoming.key is not None:
        return incoming.key, None
    return incoming.caller.credential, incoming.caller.agent
