"""What is recorded of calls."""

from typing import Any

from commands.gateway import Asked, Masked, RecordMcpCall, RecordMcpServer, decide
from schema.context import ContentMasked
from schema.gateway import BreakerOpened, McpCallCompleted, McpCallFailed, McpCallRefused
from schema.recorded import Body, NewEvent
from schema.registry import Event

ASKED = Asked(session_id=5, server="echo", method="tools/call", tool="long", arguments="{}", arguments_hash="a" * 64)


def events(command: Any) -> list[Event]:
    new = decide(command)
    assert {each.stream for each in new} == {"gateway"}
    return [each.event for each in new]


def test_an_answer() -> None:
    (found,) = events(RecordMcpCall(asked=ASKED, outcome="ok", duration_ms=2.0, bytes=9))
    assert found == McpCallCompleted(
        session_id=5, server="echo", method="tools/call", tool="long", outcome="ok", duration_ms=2.0, bytes=9,
        arguments="{}", arguments_hash="a" * 64,
    )  # fmt: skip


def test_each_text_that_was_shortened_with_its_original() -> None:
    body = Body("r" * 64, b"{}")
    masked = Masked("h" * 64, body, "s" * 64, 100, 40, "begin")
    first, second = decide(RecordMcpCall(asked=ASKED, outcome="ok", duration_ms=2.0, masked=(masked,)))
    assert isinstance(first.event, McpCallCompleted) and first.event.masks == ("h" * 64,)
    assert isinstance(second, NewEvent) and second.bodies == (body,)
    assert isinstance(second.event, ContentMasked)
    output = second.event.output
    assert (output.hash, output.ref, output.tool, output.key) == ("h" * 64, "r" * 64, "echo/long", "")
    assert (second.event.session_id, second.event.preview) == (5, "begin")


def test_no_answer_and_no_call() -> None:
    (failed,) = events(RecordMcpCall(asked=ASKED, outcome="cancelled", code=-32800, duration_ms=1.0, error_message="m"))
    assert isinstance(failed, McpCallFailed) and (failed.code, failed.error_message) == (-32800, "m")
    (refused,) = events(RecordMcpCall(asked=ASKED, outcome="circuit_open", code=-32002))
    assert isinstance(refused, McpCallRefused) and refused.outcome == "circuit_open"


def test_without_a_session() -> None:
    asked = Asked(session_id=None, server="echo", method="m" * 900, tool="t" * 900)
    (found,) = events(RecordMcpCall(asked=asked, outcome="ok", duration_ms=1.0))
    assert isinstance(found, McpCallCompleted)
    assert (found.session_id, len(found.method), len(found.tool or "")) == (0, 200, 200)


def test_what_happens_to_a_server() -> None:
    fact = BreakerOpened(server="echo", failures=5, outcome="upstream_timeout", open_ms=30_000)
    assert events(RecordMcpServer(fact)) == [fact]
