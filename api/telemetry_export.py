"""Operations to an OpenTelemetry collector, over OTLP/HTTP. Imported only where that is configured: needs the extra
`otel`."""

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from api.configuration_telemetry import Telemetry
from api.telemetry import Operation

_SCOPE = "chronoproxy"
_TOKENS = tuple(4.0**power for power in range(14))
_SECONDS = tuple(0.01 * 2**power for power in range(14))
_MCP_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_HISTOGRAMS = (
    ("gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS),
    ("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS),
    ("gen_ai.client.operation.time_to_first_chunk", "s", "Time to receive the first chunk.", _SECONDS),
    ("mcp.client.operation.duration", "s", "Duration of an MCP request or notification.", _MCP_SECONDS),
)


class Exporter:
    """Sends in threads of its own, in batches; what a collector does not take is dropped after a while."""

    def __init__(self, section: Telemetry, version: str) -> None:
        base, timeout = section.endpoint.rstrip("/"), section.timeout_s
        resource = Resource.create({"service.name": section.service_name, "service.version": version})
        self._tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        if section.traces:
            spans = OTLPSpanExporter(f"{base}/v1/traces", headers=section.headers, timeout=timeout)
            self._tracing.add_span_processor(
                BatchSpanProcessor(spans, schedule_delay_millis=section.interval_s * 1_000)
            )
        self._tracer = self._tracing.get_tracer(_SCOPE, version)
        readers = []
        if section.metrics:
            metrics = OTLPMetricExporter(f"{base}/v1/metrics", headers=section.headers, timeout=timeout)
            readers.append(PeriodicExportingMetricReader(metrics, section.interval_s * 1_000, timeout * 1_000))
        self._metering = MeterProvider(readers, resource, shutdown_on_exit=False)
        meter = self._metering.get_meter(_SCOPE, version)
        self._histograms: dict[str, Histogram] = {
            name: meter.create_histogram(name, unit, text, explicit_bucket_boundaries_advisory=bounds)
            for name, unit, text, bounds in _HISTOGRAMS
        }

    def export(self, operation: Operation) -> None:
        span = self._tracer.start_span(
            operation.name,
            context=Context(),
            kind=SpanKind.CLIENT,
            attributes=operation.attributes,
            start_time=operation.start,
        )
        if operation.error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(operation.end)
        for measure in operation.measures:
            self._histograms[measure.name].record(measure.value, measure.attributes)

    def close(self) -> None:
        """Send what waits."""
        self._tracing.shutdown()
        self._metering.shutdown()
