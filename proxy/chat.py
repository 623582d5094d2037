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
from proxy.finishing import Ending, Finisher
from proxy.forwarding import forward
from proxy.headers import client_headers
from proxy.intake import ClientGoneError, Headers, Receive, Send, WhenGone, read_body
from proxy.leaving import Departure
from proxy.limiter import Limiter
from proxy.long_answers import End
from proxy.openai_errors import LimitRefusal, Refusal, error_body, error_event, upstream_error_text
from proxy.providers import Catalogue, ModelNotFoundError, ProviderNotConfiguredError, Route
from proxy.rate import RequestRate
from proxy.retrying import Retrier
from proxy.running import Incoming, Running
from proxy.sse import SseStream
from proxy.tries import calls
from proxy.upstream import Upstream, UpstreamAnswer, UpstreamRequest
from proxy.upstream_errors import UpstreamError
from proxy.wire import ChatRequest, WireError, check_messages

_KEPT_ANSWER = 16 << 20  # bytes of an answer that are kept for the record
_KEPT_ERROR = 64 << 10


class Settings(msgspec.Struct, frozen=True):
    """`commit_first` waits for the commit of ExchangeStarted before the upstream call, not only before the answer."""

    max_body_bytes: int
    commit_first: bool = False


class Pass(msgspec.Struct, kw_only=True):
    """One request on its way through: where it answers to, and what will be recorded of it.

    It is a failure of ours until something else is known.
    """

    send: Send
    running: Running
    request_id: str
    injected: bool
    stop_watching: Callable[[], None]
    answered: Callable[[Running, Ending], None]
    ending: Ending = msgspec.field(default_factory=lambda: Ending(kind="failed", error_code="internal_error"))


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
            read = self._beginner.openings.read(body)
            request = read.request
            facts = self._beginner.facts(request, read.opening) or await self._beginner.long_facts(request)
            if facts.fault is not None:
                check_messages(facts)
            self._beginner.openings.learn(body, read, facts)
            route = self._route(request)
        except ClientGoneError:
            return
        except WireError as error:
            await _refuse(send, Refusal(400, error.message, error.code, error.param), request_id)
            return
        except Refusal as refusal:
            await _refuse(send, refusal, request_id)
            return
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
            await _refuse(send, refusal, request_id)
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
            await _fail_before(passing, error)
            return
        try:
            ending.http_status, ending.attempts = answer.status, answer.attempts
            if not running.committed.done():
                await committed(running)
            await _pass_answer(passing, answer, context_limit=route.max_context)
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


async def _pass_answer(passing: Pass, answer: UpstreamAnswer, *, context_limit: int) -> None:
    ending = passing.ending
    given = [(name.lower(), value) for name, value in answer.headers]
    heads = dict(given)
    is_sse = heads.get("content-type", "").lower().startswith("text/event-stream")
    ending.form, ending.content_encoding = ("sse" if is_sse else "json"), heads.get("content-encoding")
    ending.upstream_request_id = heads.get("x-request-id")
    plain = ending.content_encoding in (None, "identity")
    stream = ending.stream = SseStream(withhold_usage=passing.injected) if is_sse and plain else None
    kept: list[bytes] = []
    room = _KEPT_ANSWER if answer.status < 400 else _KEPT_ERROR
    try:
        added = _added_headers(passing.running, passing.request_id, context_limit)
        await _start(passing.send, answer.status, client_headers(given, added, changed=stream is not None))
        rest = b""
        async for chunk in answer.chunks():
            if ending.ttft_ms is None:
                ending.ttft_ms = (time.perf_counter() - passing.running.arrived) * 1_000
            if room > 0:
                kept.append(chunk)
                room -= len(chunk)
            else:
                ending.end = ending.end or End()
                ending.end.add(chunk)
            out = stream.feed(chunk) if stream is not None else chunk
            if stream is not None and stream.done and ending.kind != "completed" and stream.last_error() is None:
                ending.kind, ending.data = "completed", b"".join(kept)
                passing.answered(passing.running, ending)
            if answer.complete:  # its end goes out with it
                rest = out
                break
            if out:
                await passing.send({"type": "http.response.body", "body": out, "more_body": True})
        _come_to_an_end(ending, answer.status, kept)
        passing.stop_watching()
        if stream is not None:
            rest += stream.finish()
        await passing.send({"type": "http.response.body", "body": rest, "more_body": False})
    except UpstreamError as error:
        whole = ending.kind == "completed"  # [DONE] had come
        if not whole:
            _fail(ending, error)
        if stream is not None and stream.at_boundary:
            passing.stop_watching()
            last = b"" if whole else error_event(error.message, error.code)
            await passing.send({"type": "http.response.body", "body": last, "more_body": False})
        # else the answer stays incomplete, and the server closes the connection: the client must not take it for whole
    finally:
        ending.data = b"".join(kept)
        ending.usage_raw = stream.usage_raw if stream is not None else None


def _come_to_an_end(ending: Ending, status: int, kept: list[bytes]) -> None:
    if 200 <= status < 300:
        ending.kind = "completed"
        return
    ending.kind = "failed"
    ending.error_code = f"http_{status}"
    ending.error_message = upstream_error_text(b"".join(kept), ending.content_encoding)


def _fail(ending: Ending, error: UpstreamError) -> None:
    ending.kind, ending.error_code, ending.error_message = "failed", error.code, error.message


async def _fail_before(passing: Pass, error: UpstreamError) -> None:
    """No answer came: say so ourselves."""
    ending = passing.ending
    _fail(ending, error)
    ending.attempts = error.attempts
    ending.reached = error.code == "upstream_timeout"
    ending.http_status = 504 if error.code == "upstream_timeout" else 502
    await committed(passing.running)
    body = error_body(ending.http_status, error.message, error.code)
    added = _added_headers(passing.running, passing.request_id, None)
    passing.stop_watching()
    await _start(passing.send, ending.http_status, [*_json_head(body), *added])
    await passing.send({"type": "http.response.body", "body": body, "more_body": False})


def _added_headers(running: Running, request_id: str, context_limit: int | None) -> Headers:
    added = [
        (b"x-session-id", b"%d" % running.session_id),
        (b"x-session-rule", running.rule.encode()),
        (b"x-exchange-id", b"%d" % running.exchange_id),
        (b"x-context-tokens", b"%d" % running.tokens),
        (b"x-context-saved", b"%d" % running.saved),
        (b"x-request-id", request_id.encode()),
    ]
    if context_limit is not None:
        added.append((b"x-context-limit", b"%d" % context_limit))
    position = running.position()
    if position is not None:
        added.append((b"x-event-position", b"%d" % position))
    return added


def _client(incoming: Incoming) -> tuple[str | None, str | None]:
    """Whose turn it is: a named key, else a credential together with the kind of client."""
    if incoming.key is not None:
        return incoming.key, None
    return incoming.caller.credential, incoming.caller.agent


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


def _json_head(body: bytes) -> Headers:
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


async def _refuse(send: Send, refusal: Refusal, request_id: str) -> None:
    body = refusal.body()
    await _start(send, refusal.status, [*_json_head(body), *refusal.headers, (b"x-request-id", request_id.encode())])
    await send({"type": "http.response.body", "body": body, "more_body": False})
