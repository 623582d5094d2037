"""What a collector gets over OTLP/HTTP, decoded; and that nothing of the SDK is there where it is not configured."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.configuration_telemetry import Telemetry
from api.telemetry import Measure, Operation
from api.telemetry_export import Exporter
from tests.e2e.processes import ROOT, MockProcess, ProxyProcess, config_for, plan

MCP = f"""
[mcp.servers.by-hand]
command = "{sys.executable}"
args = ["-S", "{ROOT / "tests/servers/mcp_stdio.py"}"]
"""
SECRET = {"text": "words for a tool"}


class Collector(ThreadingHTTPServer):
    """Keeps what it gets, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for path, _, body in self.got if path == "/v1/traces"]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Any]:
        """The last state of each."""
        requests = [ExportMetricsServiceRequest.FromString(body) for path, _, body in self.got if path == "/v1/metrics"]
        return {
            metric.name: metric
            for request in requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, Collector)
        self.server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.close()


def attributes(holder: Any) -> dict[str, Any]:
    found = {}
    for each in holder.attributes:
        value = getattr(each.value, each.value.WhichOneof("value"))
        found[each.key] = [item.string_value for item in value.values] if hasattr(value, "values") else value
    return found


def test_spans_and_metrics_reach_a_collector(mock: MockProcess, collector: Collector) -> None:
    section = f'[telemetry]\nendpoint = "{collector.url}"\nheaders = {{ "X-Key" = "planted-telemetry-key" }}\n' + MCP
    chat = {"model": "mock", "stream": True, "messages": [{"role": "user", "content": "words nobody may see"}]}
    with ProxyProcess(config_for(mock.base_url, section)) as proxy:
        answers = [
            httpx.post(f"{proxy.url}/v1/chat/completions", json=chat, headers=headers)
            for headers in ({}, plan(status=429, body={"error": {"message": "words of the provider"}}))
        ]
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": SECRET}}
        assert httpx.post(f"{proxy.url}/api/mcp-gateway/by-hand/rpc", json=call, timeout=30).status_code == 200
        ids = [int(proxy.finished(answer.headers["x-exchange-id"])["id"]) for answer in answers]
        assert "planted-telemetry-key" not in httpx.get(f"{proxy.url}/api/settings").text
        assert proxy.stop() == 0  # the rest is sent at the end
        assert "planted-telemetry-key" not in proxy.log.read_text()
    spans = {attributes(span).get("chronoproxy.exchange.id", span.name): span for span in collector.spans()}
    assert set(spans) == {*ids, "tools/call echo"}
    done, failed = attributes(spans[ids[0]]), attributes(spans[ids[1]])
    assert (spans[ids[0]].name, spans[ids[0]].kind, done["gen_ai.request.model"]) == (
        "chat mock-model",
        3,
        "mock-model",
    )
    assert (done["gen_ai.usage.input_tokens"], done["gen_ai.usage.output_tokens"]) == (11, 7)
    assert done["gen_ai.response.finish_reasons"] == ["stop"]
    assert (failed["error.type"], spans[ids[1]].status.code) == ("429", 2)
    assert spans[ids[0]].end_time_unix_nano > spans[ids[0]].start_time_unix_nano
    metrics = collector.metrics()
    assert {"gen_ai.client.token.usage", "gen_ai.client.operation.duration"} <= set(metrics)
    tokens = metrics["gen_ai.client.token.usage"]
    assert tokens.unit == "{token}"
    sums = {attributes(point)["gen_ai.token.type"]: point.sum for point in tokens.histogram.data_points}
    assert sums == {"input": 11, "output": 7}
    assert "mcp.client.operation.duration" in metrics
    assert all(headers["x-key"] == "planted-telemetry-key" for _, headers, _ in collector.got)
    everything = b"".join(body for _, _, body in collector.got)
    assert b"words" not in everything
    for name in (b"gen_ai.system", b"prompt_tokens", b"gen_ai.prompt", b"gen_ai.completion", b"gen_ai.input.messages"):
        assert name not in everything


def test_a_collector_that_is_not_there_is_given_up() -> None:
    section = Telemetry(endpoint="http://127.0.0.1:1", interval_s=0.1, timeout_s=0.1)
    exporter = Exporter(section, "1")
    measure = Measure("gen_ai.client.operation.duration", 1.0, {})
    exporter.export(Operation(name="chat m", start=1, end=2, attributes={}, error="500", measures=(measure,)))
    exporter.close()


def test_nothing_of_opentelemetry_is_imported_where_it_is_off() -> None:
    script = (
        "import sys, api.wiring_telemetry; sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
