"""Providers and models, made of their sections."""

from api.configuration_sections import (
    FileModel,
    RetryEntry,
)
from proxy.providers import Model, Price, Provider, Retry

_COLORS = {"openai": "#10a37f", "gemini": "#4285f4", "anthropic": "#d97757", "echo": "#64748b"}


def made_providers(values: FileModel) -> tuple[Provider, ...]:
    return tuple(
        Provider(
            key=key,
            type=entry.type,
            base_url=entry.base_url,
            api_key=entry.api_key,
            headers=entry.headers,
            include_usage=entry.include_usage,
            allow_any_model=entry.allow_any_model,
            cached_price_ratio=entry.cached_price_ratio,
            connect_timeout_s=entry.connect_timeout_s or values.server.connect_timeout_s,
            read_timeout_s=entry.read_timeout_s or values.server.read_timeout_s,
            max_rpm=entry.max_rpm,
            retry=_retry(entry.retry),
            name=entry.name or key,
            icon=entry.icon or entry.type,
            color=entry.color or _COLORS[entry.type],
        )
        for key, entry in values.providers.items()
    )


def made_models(values: FileModel) -> tuple[Model, ...]:
    return tuple(
        Model(
            key=key,
            provider=entry.provider,
            model=entry.model or key,
            max_context_size=entry.max_context_size,
            max_output_tokens=entry.max_output_tokens,
            capabilities=tuple(entry.capabilities),
            price=Price(**entry.price.model_dump()) if entry.price is not None else None,
            fallback=tuple(entry.fallback),
        )
        for key, entry in values.models.items()
    )


def demo_provider() -> Provider:
    return Provider(key="demo", type="echo", name="Demo", icon="echo", color=_COLORS["echo"])


def _retry(entry: RetryEntry | None) -> Retry | None:
    if entry is None:
        return None
    return Retry(
        attempts=entry.attempts,
        on=frozenset(entry.on),
        backoff_s=entry.backoff_ms / 1_000,
        max_wait_s=entry.max_wait_ms / 1_000,
    )
