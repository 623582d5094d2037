"""A writer on a log, with its results as futures."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType

from schema.appends import Append, Committed, Result
from schema.blobs import content_ref
from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.log import EventLog
from schema.recorded import Body, Metadata, NewEvent, Recorded
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import AutoSessionDisabled, ConfigurationLoaded, SessionActivated
from schema.writer import LogWriter

SOON_S = 20.0
META = Metadata(actor="api", by="a-client", correlation_id="0123456789abcdef", causation_position=1)


class Writing:
    """`with Writing(log) as writing: writing.commit(...)`; every commit's events are in `heard`."""

    def __init__(self, log: EventLog, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.heard: list[Recorded] = []
        self.groups: list[int] = []
        self.writer = LogWriter(log, clock=clock, busy_timeout_s=0.05)
        self.writer.subscribe(self._listen)

    def submit(
        self,
        *events: NewEvent,
        expect: Mapping[str, int] | None = None,
        durable: bool = False,
        keep: bool = False,
        wake: bool = True,
    ) -> "Future[Result]":
        future: Future[Result] = Future()
        append = Append(events=events, metadata=META, expect=expect or {}, durable=durable, keep=keep)
        self.writer.submit(append, future.set_result, wake=wake)
        return future

    def commit(self, *events: NewEvent, expect: Mapping[str, int] | None = None, durable: bool = False) -> list[int]:
        """The positions of the committed events; the result must be a commit."""
        result = self.submit(*events, expect=expect, durable=durable).result(SOON_S)
        assert isinstance(result, Committed), result
        return list(result.positions)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; False after a long time fails the test."""
        deadline = time.monotonic() + SOON_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def __enter__(self) -> "Writing":
        self.writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    def _listen(self, recorded: list[Recorded]) -> None:
        self.heard += recorded
        self.groups.append(len(recorded))


@contextmanager
def locked(log: EventLog) -> Iterator[None]:
    """Another program holds the write lock of events.sqlite."""
    db = sqlite3.connect(log.path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.close()


def new(stream: str, event: Event, *bodies: bytes) -> NewEvent:
    return NewEvent(stream, event, tuple(Body(content_ref(data), data) for data in bodies))


def session(number: int, name: str = "a name") -> NewEvent:
    return new("workspace", SessionStarted(session_id=number, name=name, provider="demo", origin="manual"))


def started(exchange_id: int, *bodies: bytes, session_id: int = 1, preview: str | None = None) -> NewEvent:
    event = ExchangeStarted(
        session_id=session_id,
        exchange_id=exchange_id,
        model_sent="echo",
        provider="demo",
        resolution=Resolution(rule="new"),
        received=MessageRefs(added=("a" * 64,), count=1, tokens=3),
        envelope_ref="e" * 64,
        preview=preview,
    )
    return new(f"exchange-{exchange_id}", event, *bodies)


def completed(exchange_id: int, *bodies: bytes, session_id: int = 1) -> NewEvent:
    event = ExchangeCompleted(session_id=session_id, exchange_id=exchange_id, usage=Usage(), timings=Timings())
    return new(f"exchange-{exchange_id}", event, *bodies)


def some_events() -> Sequence[NewEvent]:
    """Ten events in four streams about two sessions: sealed fields, blobs, and events about no session."""
    return (
        new("workspace", ConfigurationLoaded(values={"port": 1}, hash="c" * 64)),
        session(1),
        new("workspace", SessionActivated(session_id=1)),
        started(1, b"first body", b"second body", preview="what was asked"),
        completed(1, b"the answer"),
        session(2, "zwei 二"),
        new("session-1", SessionRenamed(session_id=1, from_="a name", to="another name")),
        started(2, session_id=2),
        new("workspace", AutoSessionDisabled()),
        new("workspace", SessionDeleted(session_id=2, reason="tidied up")),
    )
