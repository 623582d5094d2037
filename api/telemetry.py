"""What committed events say in the words of OpenTelemetry: one operation for each exchange and each call of MCP.

Names are those of the GenAI and MCP conventions. Contents are never among them: no messages, no arguments, no texts of
errors. Nothing here needs the library; telemetry_export.py does.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from proxy.providers import VENDOR_URLS, Catalogue, Provider
from schema.exchanges import ExchangeCancelled, ExchangeFailed, ExchangeInterrupted, ExchangeStarted, Finished
from schema.gateway import McpCall, McpCallCompleted, McpCallFailed, McpCallRefused
from schema.recorded import Recorded
from schema.registry import Event

Value = str | int | float | bool | list[str]
Attributes = dict[str, Value]

WATCHED: tuple[type[Event], ...] = (ExchangeStarted, Finished, McpCallCompleted, McpCallFailed, McpCallRefused)
_NS = 1_000_000  # in a millisecond
_OPEN = 10_000  # exchanges under way that are remembered
_OTHER = "other"
_LABELS = 200  # different names of tools that become labels
_FLAVOURS = {"openai": "openai", "gemini": "gcp.gemini", "anthropic": "anthropic", "echo": "chronoproxy.demo"}
_KNOWN = {  # keys that users give to providers which the conventions have a name for
    **{name: name for name in ("anthropic", "cohere", "deepseek", "groq", "openai", "perplexity")},
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


class Measure(msgspec.Struct, frozen=True):
    """One value of a histogram."""

    name: str
    value: float
    attributes: Attributes


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A span of kind client, in ns since the epoch, and the values that go with it. `error` is its error.type."""

    name: str
    start: int
    end: int
    attributes: Attributes
    error: str | None
    measures: tuple[Measure, ...]


class Translator:
    """Folds events in their order. Labels of metrics are bounded by the configuration."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._providers = {provider.key: provider for provider in catalogue.providers()}
        self._open: dict[int, ExchangeStarted] = {}
        self._tools: set[str] = set()

    def operation(self, recorded: Recorded) -> Operation | None:
        """What the event completes."""
        event = recorded.event
        if isinstance(event, ExchangeStarted):
            self._open[event.exchange_id] = event
            if len(self._open) > _OPEN:
                del self._open[next(iter(self._open))]
            return None
        if isinstance(event, Finished):
            started = self._open.pop(event.exchange_id, None)
            return self._exchange(recorded, started, event) if started is not None else None
        return self._call(recorded, event) if isinstance(event, McpCall) else None

    def _exchange(self, recorded: Recorded, started: ExchangeStarted, event: Finished) -> Operation:
        last = event.sent_last
        provider, model = (last.provider, last.model) if last else (started.provider, started.model_sent)
        error, millis = _error(event), event.timings.duration_ms or 0.0
        shared: Attributes = {
            "gen_ai.operation.name": "chat",
            **self._server(provider),
        }
        answered: Attributes = {"gen_ai.response.model": event.model_answered} if event.model_answered else {}
        known = self._catalogue.model_known(provider, model)
        labels: Attributes = {**shared, "gen_ai.request.model": model if known else _OTHER}
        if known:
            labels |= answered
        return Operation(
            name=f"chat {model}",
            start=_start(recorded, millis),
            end=recorded.timestamp * _NS,
            attributes={
                **shared,
                "gen_ai.request.model": model,
                **answered,
                **_of_exchange(recorded, started, event),
                **({"error.type": error} if error else {}),
            },
            error=error,
            measures=tuple(_measures(labels, started, event, error, millis)),
        )

    def _server(self, key: str) -> Attributes:
        provider = self._providers.get(key)
        if provider is None:
            return {"gen_ai.provider.name": _OTHER}
        name = _KNOWN.get(key.lower()) or _FLAVOURS[provider.type]
        return {"gen_ai.provider.name": name, **_address(provider)}

    def _call(self, recorded: Recorded, event: McpCall) -> Operation:
        tool = event.tool
        error = None if event.outcome == "ok" else event.outcome
        code = 0 if isinstance(event, McpCallCompleted) else event.code
        millis = 0.0 if isinstance(event, McpCallRefused) else event.duration_ms
        shared: Attributes = {
            "mcp.method.name": event.method,
            **({"rpc.response.status_code": str(code)} if code else {}),
            **({"gen_ai.operation.name": "execute_tool"} if tool is not None else {}),
            **({"error.type": error} if error else {}),
        }
        named: Attributes = {"gen_ai.tool.name": tool} if tool is not None else {}
        session: Attributes = {"gen_ai.conversation.id": str(event.session_id)} if event.session_id else {}
        label: Attributes = {"gen_ai.tool.name": self._label(tool)} if tool is not None else {}
        own: Attributes = {"chronoproxy.mcp.server": event.server, "chronoproxy.event.position": recorded.position}
        return Operation(
            name=f"{event.method} {tool}" if tool is not None else event.method,
            start=_start(recorded, millis),
            end=recorded.timestamp * _NS,
            attributes={**shared, **named, **session, **own},
            error=error,
            measures=(Measure("mcp.client.operation.duration", millis / 1_000, {**shared, **label}),),
        )

    def _label(self, tool: str) -> str:
        """Models choose the names of tools, and each label is a time series for ever."""
        if tool not in self._tools and len(self._tools) >= _LABELS:
            return _OTHER
        self._tools.add(tool)
        return tool


def _of_exchange(recorded: Recorded, started: ExchangeStarted, event: Finished) -> Attributes:
    usage, timings = event.usage, event.timings
    values: Mapping[str, Value | None] = {
        "gen_ai.conversation.id": str(started.session_id),
        "gen_ai.request.stream": started.stream or None,
        "gen_ai.response.finish_reasons": [event.finish_reason] if event.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": _seconds(timings.ttft_ms) if started.stream else None,
        "chronoproxy.exchange.id": started.exchange_id,
        "chronoproxy.event.position": recorded.position,
        "chronoproxy.outcome": type(event).__name__.removeprefix("Exchange").lower(),
        "chronoproxy.overhead_ms": timings.overhead_ms,
        "chronoproxy.tries": len(event.tries) if event.tries else None,
        "chronoproxy.tokens_saved": started.received.tokens - started.sent.tokens if started.sent else None,
        "chronoproxy.client": started.client_family,
        "chronoproxy.key": started.key,
        "chronoproxy.usage.source": usage.source,
    }
    counts: Mapping[str, Value | None] = {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }
    found = {**values, **(counts if usage.source != "none" else {})}
    return {name: value for name, value in found.items() if value is not None}


def _measures(
    labels: Attributes, started: ExchangeStarted, event: Finished, error: str | None, millis: float
) -> list[Measure]:
    failed: Attributes = {"error.type": error} if error else {}
    found = [Measure("gen_ai.client.operation.duration", millis / 1_000, {**labels, **failed})]
    first = _seconds(event.timings.ttft_ms)
    if started.stream and first is not None:
        found.append(Measure("gen_ai.client.operation.time_to_first_chunk", first, {**labels, **failed}))
    if event.usage.source == "measured":  # estimates are not what is billed
        tokens = {"input": event.usage.prompt_tokens, "output": event.usage.completion_tokens}
        found += [
            Measure("gen_ai.client.token.usage", count, {**labels, "gen_ai.token.type": kind})
            for kind, count in tokens.items()
        ]
    return found


def _error(event: Finished) -> str | None:
    """A client that leaves is no error of the operation."""
    match event:
        case ExchangeFailed():
            return event.error_code.removeprefix("http_")
        case ExchangeInterrupted():
            return "interrupted"
        case ExchangeCancelled() | _:
            return None


def _address(provider: Provider) -> Attributes:
    parts = urlsplit(provider.base_url or VENDOR_URLS.get(provider.type, ""))
    if not parts.hostname:
        return {}
    return {"server.address": parts.hostname, "server.port": parts.port or (443 if parts.scheme == "https" else 80)}


def _start(recorded: Recorded, millis: float) -> int:
    return recorded.timestamp * _NS - round(millis * _NS)


def _seconds(millis: float | None) -> float | None:
    return None if millis is None else millis / 1_000
