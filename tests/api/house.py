"""The HTTP side over a real log, writer, runner and read tables in a temporary directory. Only the handler of
completions is a stand-in: it is behind a seam of the front."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from api.app import make_app
from api.background import Background
from api.context_desk import Desk
from api.description import DescribedApp
from api.erasures import Erasures, Parts
from api.front import Front
from api.gate import Gate, GateSettings
from api.gateway_wiring import open_looker
from api.idempotency import Keys
from api.ledger_desk import LedgerDesk
from api.live_client import MAX_MESSAGES, PATIENCE_S
from api.live_hub import Hub
from api.live_socket import LiveSocket
from api.live_source import LiveSource
from api.log_watcher import LogWatcher
from api.memory_desk import MemoryDesk
from api.memory_live import MemoryRequests
from api.operation_kinds import kind_of
from api.operation_refusals import refusals
from api.rebuilds import Rebuilds
from api.services import Health, Origin, RateSettings, Services
from api.vacuums import Vacuums
from commands.handling import CommandHandler
from context.compaction import CompactionSettings
from gateway.gateway import Gateway
from gateway.in_process import InProcess
from gateway.messages import ServerSettings
from gateway.recording import Recorder
from gateway.sessions import McpSessions
from gateway.tools import InProcessServer
from ledgers.places import Machine, shelf
from projections.catalogue import PROJECTIONS
from projections.runner import Runner
from projections.store import ReadPool, open_store
from projections.waiting import Waiter
from projections.words import Words
from proxy.caller import Caller
from proxy.content_indexes import ContentIndexes
from proxy.facts import FactsCache
from proxy.intake import Headers, Receive, Send, WhenGone
from proxy.providers import Catalogue, Model, Provider
from proxy.rate import RequestRate
from proxy.redaction import Redactor
from schema.appending import Appender
from schema.appends import Append
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent, Recorded
from schema.registry import Event

NOW_MS = 1_795_390_431_123  # 2026-11-22T23:33:51.123Z
HOST = "http://127.0.0.1:8000"

CATALOGUE = Catalogue(
    [
        Provider(key="demo", type="echo", name="Demo", icon="d", color="#0b6e83"),
        Provider(key="acme", type="openai", base_url="https://user:pw@acme.test/v1?key=s3cret", api_key="sk-s3cret"),
    ],
    [
        Model(key="demo/echo", provider="demo", model="echo", max_context_size=1_000, capabilities=("tools",)),
        Model(key="big", provider="acme", model="acme-big", max_context_size=200_000, max_output_tokens=8_000),
    ],
    "demo/echo",
)


class FakeChat:
    """Answers every completion with 200 and keeps what it was called with; raises `error` where one is set."""

    def __init__(self) -> None:
        self.calls: list[tuple[Headers, str, str | None]] = []
        self.error: Exception | None = None

    async def __call__(
        self,
        headers: Headers,
        receive: Receive,
        send: Send,
        *,
        request_id: str,
        caller: Caller,
        when_gone: WhenGone | None,
    ) -> None:
        self.calls.append((headers, request_id, caller.credential))
        if self.error is not None:
            raise self.error
        while (await receive()).get("more_body"):
            pass
        head = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"{}", "more_body": False})


class House(msgspec.Struct, frozen=True, eq=False):
    """`client` speaks to the front as it runs in the server."""

    client: httpx.AsyncClient
    front: Front
    app: DescribedApp
    chat: FakeChat
    log: EventLog
    appender: Appender
    runner: Runner
    waiter: Waiter
    handler: CommandHandler
    running: set[int]
    trouble: list[str]
    rate: RequestRate
    hub: Hub
    gateway: Gateway
    reads: ReadPool

    def events(self, after: int = 0) -> list[Recorded]:
        return self.log.read(after)

    def running_calls(self) -> list[tuple[str, str, object]]:
        """Server, client and id of the calls that wait for their answer."""
        return list(self.gateway.running)

    def types(self, after: int = 0) -> list[str]:
        return [recorded.type for recorded in self.events(after)]

    async def record(self, *events: Event, stream: str = "test") -> int:
        """Append facts as the hot path does, and wait until they can be read; the last one's position."""
        new = [NewEvent(stream, event) for event in events]
        committed = await self.appender.append(Append(events=new, metadata=Metadata(actor="proxy"), durable=False))
        await self.waiter.until(committed.positions[-1])
        return committed.positions[-1]


_redacted = Redactor(["sk-s3cret"])


def _declared(app: DescribedApp) -> Callable[[httpx.Response], Awaitable[None]]:
    """Whatever a test asks for: the OpenAPI document names the status that is answered."""

    async def check(answer: httpx.Response) -> None:
        method, path = answer.request.method.replace("HEAD", "GET"), answer.request.url.path
        for route in app.described_routes:
            if (
                method in (route.methods or ())
                and route.path_regex.match(path)
                and answer.status_code not in (405, 500)
            ):
                known = {"200", *map(str, route.responses), *refusals(kind_of(route, method), guarded=True)}
                assert str(answer.status_code) in known, f"{method} {path}: {answer.status_code} is not declared"
                return

    return check


@asynccontextmanager
async def open_house(
    path: Path,
    gate: GateSettings | None = None,
    *,
    docs: bool = False,
    stalled_s: float = 30.0,
    patience_s: float = PATIENCE_S,
    max_messages: int = MAX_MESSAGES,
    servers: Sequence[InProcessServer] = (),
    allowed: tuple[str, ...] = (),
    max_body_bytes: int = 2_000,
) -> AsyncIterator[House]:
    """Everything of one data directory, closed at the end. `allowed` are the tools of the servers, empty for all."""
    async with AsyncExitStack() as stack:
        keys = KeyStore(path / "keys.sqlite")
        stack.callback(keys.close)
        log = EventLog(path / "events.sqlite", keys)
        stack.callback(log.close)
        store = open_store(path / "read.sqlite", PROJECTIONS, log)
        stack.callback(store.close)
        waiter = Waiter()
        reads = ReadPool(path / "read.sqlite")
        stack.callback(reads.close)
        hub = Hub(LiveSource(reads, log, CATALOGUE, _redacted))
        runner = Runner(store, PROJECTIONS, log, waiter, watcher=hub, swap=reads.swap)
        reads.tell(runner.look)
        stack.callback(runner.stop)
        appender = Appender(log)
        appender.start(runner.feed)
        stack.push_async_callback(appender.close)
        runner.start()
        await asyncio.to_thread(runner.wait_ready, 10)
        stack.push_async_callback(hub.aclose)
        background = Background()
        stack.push_async_callback(background.aclose)
        running: set[int] = set()
        trouble: list[str] = []
        rate = RequestRate(lambda: 0.0)
        handler = CommandHandler(log, appender)
        gateway = Gateway(
            {server.name: (InProcess(server), ServerSettings(tools=allowed)) for server in servers},
            Recorder(appender, len, contents=True, redact=_redacted, waiter=waiter),
            McpSessions(keys.secret("mcp sessions")),
            redact=_redacted,
            version="1.2.3",
        )
        machine = Machine(Path(os.path.realpath(path)) / "home", {})
        services = Services(
            handler=handler,
            reads=reads,
            waiter=waiter,
            log=log,
            catalogue=CATALOGUE,
            rate=rate,
            rate_limit=RateSettings(max_rpm=8),
            running=lambda: frozenset(running),
            clock=lambda: NOW_MS,
            health=Health(
                writer_trouble=lambda: trouble[0] if trouble else appender.trouble,
                projections=runner.status,
                ready=lambda: runner.ready,
            ),
            idempotency=Keys(keys.secret("idempotency keys")),
            rebuilds=Rebuilds(runner, waiter, reads, path / "read.sqlite", lambda: NOW_MS),
            erasures=Erasures(Parts(path, log, keys, appender, runner, reads, waiter, handler)),
            vacuums=Vacuums(path, keys, appender, runner),
            hub=hub,
            desk=Desk(
                log,
                FactsCache(1, len, str),
                len,
                CompactionSettings(min_tokens_to_compact=100),
                lambda: handler.state,
                reduces=True,
                sanitizes=True,
            ),
            contents=ContentIndexes(log),
            gateway=gateway,
            looker=open_looker(gateway, None, reads, lambda: NOW_MS),
            ledgers=LedgerDesk(shelf(machine), machine, handler, reads, waiter),
            memory=MemoryDesk(Words()),
            log_watcher=LogWatcher(path / "home" / "core.log", hub, lambda: (None, 1_000), lambda: NOW_MS, 0.01),
            background=background,
            count=len,
            redact=_redacted,
            default_model="demo/echo",
            max_body_bytes=max_body_bytes,
            version="1.2.3",
            origin=Origin("~/config.toml", ("[mcp] has no effect yet",)),
            docs=docs,
            asks_token=bool(gate and gate.token),
            asks_keys=bool(gate and gate.client_keys),
        )
        app, chat = make_app(services), FakeChat()
        entrance = Gate(gate or GateSettings())
        handlers = MemoryRequests(services).handlers()
        live = LiveSocket(
            entrance, hub, handlers, stalled_s=stalled_s, patience_s=patience_s, max_messages=max_messages
        )
        front = Front(entrance, chat, app, live)
        declared = {"response": [_declared(app)]}
        client = httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url=HOST, event_hooks=declared)
        await stack.enter_async_context(client)
        yield House(
            client,
            front,
            app,
            chat,
            log,
            appender,
            runner,
            waiter,
            handler,
            running,
            trouble,
            rate,
            hub,
            gateway,
            reads,
        )
