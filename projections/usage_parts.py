"""What is read of an upstream's own usage object beside the counts of the event: how long a cache write is kept, and
how the request was served."""

from typing import Any

from schema.exchanges import Finished

_MAX_TOKENS = 10**9  # of one answer, as proxy/usage_figures.py believes it
_MAX_TIER = 64  # characters


def cache_write_1h(raw: dict[str, Any] | None) -> int | None:
    """Tokens written to the cache for an hour instead of five minutes; None where the upstream does not say."""
    found = (raw or {}).get("cache_creation")
    value = found.get("ephemeral_1h_input_tokens") if isinstance(found, dict) else None
    return value if type(value) is int and 0 <= value <= _MAX_TOKENS else None


def service_tier(event: Finished) -> str | None:
    """As the answer says it; else as its usage object does (Anthropic)."""
    if event.service_tier is not None:
        return event.service_tier
    value = (event.usage_raw or {}).get("service_tier")
    return value[:_MAX_TIER] if isinstance(value, str) and value else None
