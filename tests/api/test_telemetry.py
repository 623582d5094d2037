"""What events say in the words of OpenTelemetry. Nothing of the library is needed for it."""

import sys
from typing import Any

import msgspec
import pytest

from api.configuration import ConfigurationError, Overrides, load
from api.telemetry import Operation, Translator
from api.wiring_telemetry import TelemetryFeed, telemetry
from proxy.providers import Catalogue, Model, Provider
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    MessageRefs,
    Resolution,
    SentLast,
    Timings,
    Try,
    Usage,
)
from schema.gateway import McpCallCompleted, McpCallFailed, McpCallRefused
from schema.recorded import Recorded
from schema.registry import Event

AT = 1_790_000_000_000
CATALOGUE = Catalogue(
    [
        Provider(key="openai", type="openai", api_key="k"),
        Provider(key="mistral", type="openai", base_url="http://127.0.0.1:8080/v1"),
    ],
    [Model(key="m", provider="openai", model="gpt"), Model(key="n", provider="mistral", model="large")],
    None,
)
STARTED = ExchangeStarted(
    session_id=3,
    exchange_id=7,
    model_requested="m",
    model_sent="gpt",
    provider="openai",
    stream=True,
    resolution=Resolution(rule="auto_new"),
    client_family="cline",
    key="alice",
    received=MessageRefs(count=1, tokens=100),
    sent=MessageRefs(count=1, tokens=60),
    envelope_ref="e" * 64,
    preview="a secret question",
)
END: dict[str, Any] = {
    "session_id": 3,
    "exchange_id": 7,
    "usage": Usage(source="measured", prompt_tokens=50, completion_tokens=5, total_tokens=55, cached_tokens=40),
    "timings": Timings(overhead_ms=0.5, ttft_ms=250.0, duration_ms=1_500.0),
    "http_status": 200,
    "finish_reason": "stop",
    "model_answered": "gpt-1",
}


def recorded(event: Event, position: int = 9) -> Recorded:
    fields: dict[str, Any] = {name: None for name in Recorded.__struct_fields__}
    return Recorded(**{**fields, "position": position, "timestamp": AT, "event": event})


def operation(*events: Event, translator: Translator | None = None) -> Operation:
    translator = translator or Translator(CATALOGUE)
    found = [translator.operation(recorded(event)) for event in events]
    assert found[:-1] == [None] * (len(events) - 1)
    assert found[-1] is not None
    return found[-1]


def test_an_exchange_is_a_span_with_current_names() -> None:
    found = operation(STARTED, ExchangeCompleted(**END))
    assert (found.name, found.error) == ("chat gpt", None)
    assert found.end - found.start == 1_500_000_000
    assert found.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.request.model": "gpt",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "gpt-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.conversation.id": "3",
        "gen_ai.usage.input_tokens": 50,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "chronoproxy.exchange.id": 7,
        "chronoproxy.event.position": 9,
        "chronoproxy.outcome": "completed",
        "chronoproxy.overhead_ms": 0.5,
        "chronoproxy.tokens_saved": 40,
        "chronoproxy.client": "cline",
        "chronoproxy.key": "alice",
        "chronoproxy.usage.source": "measured",
    }
    values = [(each.name, each.attributes.get("gen_ai.token.type"), each.value) for each in found.measures]
    assert values == [
        ("gen_ai.client.operation.duration", None, 1.5),
        ("gen_ai.client.operation.time_to_first_chunk", None, 0.25),
        ("gen_ai.client.token.usage", "input", 50),
        ("gen_ai.client.token.usage", "output", 5),
    ]


@pytest.mark.parametrize(
    ("event", "outcome", "error"),
    [
        (ExchangeFailed(**END, error_code="http_429", error_message="words of the provider"), "failed", "429"),
        (ExchangeFailed(**END, error_code="upstream_timeout"), "failed", "upstream_timeout"),
        (ExchangeCancelled(**END), "cancelled", None),
        (ExchangeInterrupted(**END, cause="shutdown"), "interrupted", "interrupted"),
    ],
)
def test_how_it_ended(event: Event, outcome: str, error: str | None) -> None:
    found = operation(STARTED, event)
    assert (found.error, found.attributes["chronoproxy.outcome"]) == (error, outcome)
    assert found.attributes.get("error.type") == found.measures[0].attributes.get("error.type") == error
    assert "words" not in repr(found) and "secret" not in repr(found)


def test_estimates_are_no_metric_and_labels_are_bounded() -> None:
    started = msgspec.structs.replace(STARTED, model_sent="anything", stream=False)
    usage = Usage(source="estimated", prompt_tokens=50, total_tokens=50)
    found = operation(started, ExchangeCompleted(**{**END, "usage": usage}))
    assert found.attributes["gen_ai.request.model"] == "anything"
    assert [each.name for each in found.measures] == ["gen_ai.client.operation.duration"]
    assert found.measures[0].attributes["gen_ai.request.model"] == "other"


def test_a_fallback_is_told_as_what_answered() -> None:
    tries = (Try(provider="openai", model="gpt", http_status=503, duration_ms=1.0),) * 2
    last = SentLast(provider="mistral", model="large", envelope_ref="e" * 64)
    found = operation(STARTED, ExchangeCompleted(**END, tries=tries, sent_last=last))
    assert (found.name, found.attributes["gen_ai.provider.name"]) == ("chat large", "mistral_ai")
    assert (found.attributes["server.port"], found.attributes["chronoproxy.tries"]) == (8080, 2)


def test_calls_of_mcp() -> None:
    call: dict[str, Any] = {"server": "files", "method": "tools/call", "tool": "read", "arguments": "a secret"}
    done = operation(McpCallCompleted(**call, session_id=3, outcome="ok", duration_ms=20.0))
    assert (done.name, done.error, done.end - done.start) == ("tools/call read", None, 20_000_000)
    assert done.attributes == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "read",
        "gen_ai.conversation.id": "3",
        "chronoproxy.mcp.server": "files",
        "chronoproxy.event.position": 9,
    }
    assert [(each.name, each.value) for each in done.measures] == [("mcp.client.operation.duration", 0.02)]
    failed = operation(McpCallFailed(**call, outcome="upstream_timeout", code=-32002, duration_ms=1.0))
    assert (failed.error, failed.attributes["rpc.response.status_code"]) == ("upstream_timeout", "-32002")
    assert operation(McpCallRefused(**call, outcome="circuit_open", code=-32002)).start == failed.end
    listed = operation(McpCallCompleted(server="files", method="tools/list", outcome="ok", duration_ms=1.0))
    assert (listed.name, "gen_ai.operation.name" in listed.attributes) == ("tools/list", False)


def test_names_of_tools_that_models_make_up_are_bounded() -> None:
    translator = Translator(CATALOGUE)
    names = {
        operation(
            McpCallCompleted(server="s", method="tools/call", tool=f"t{number}", outcome="ok", duration_ms=1.0),
            translator=translator,
        )
        .measures[0]
        .attributes["gen_ai.tool.name"]
        for number in range(500)
    }
    assert len(names) == 201


def test_an_end_without_a_beginning_is_left_out() -> None:
    assert Translator(CATALOGUE).operation(recorded(ExchangeCompleted(**END))) is None


class Kept:
    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.closed = False

    def export(self, operation: Operation) -> None:
        self.operations.append(operation)

    def close(self) -> None:
        self.closed = True


def test_the_feed_translates_in_a_thread_of_its_own() -> None:
    kept = Kept()
    feed = TelemetryFeed(Translator(CATALOGUE), kept)
    feed.start()
    feed.committed([recorded(STARTED)])
    feed.committed([recorded(ExchangeCompleted(**END))])
    feed.close()
    assert (len(kept.operations), kept.closed) == (1, True)


def test_a_configured_endpoint_without_the_library_is_an_error(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[telemetry]\nendpoint = "http://127.0.0.1:4318"\nheaders = { "X-Key" = "s3cret" }\n')
    found = load(file, Overrides(data_dir=tmp_path), {})
    assert found.secrets() == {"s3cret"}
    assert found.public_values()["telemetry"]["headers"] == ["X-Key"]
    monkeypatch.delitem(sys.modules, "api.telemetry_export", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"telemetry\.endpoint: .*chronoproxy\[otel\]"):
        telemetry(found)
    assert telemetry(msgspec.structs.replace(found, telemetry=type(found.telemetry)())) is None
