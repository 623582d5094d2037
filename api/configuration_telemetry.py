"""Section [telemetry] of the configuration."""

from pydantic import BaseModel, Field, field_validator

from api.configuration_types import STRICT, Url, sendable_headers


class Telemetry(BaseModel):
    """Spans and metrics to an OpenTelemetry collector, by OTLP over HTTP; off without an `endpoint`."""

    model_config = STRICT

    endpoint: Url = ""
    headers: dict[str, str] = Field(default={}, repr=False)
    traces: bool = True
    metrics: bool = True
    interval_s: float = Field(default=10, ge=0.1, le=3_600)
    timeout_s: float = Field(default=5, ge=0.1, le=60)
    service_name: str = Field(default="chronoproxy", min_length=1, max_length=200)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        return sendable_headers(headers)
