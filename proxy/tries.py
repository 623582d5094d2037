"""The calls of a provider as they are recorded: each of them, also one that met a connection closed in the meantime."""

from proxy.providers import Route
from schema.exchanges import Try


def calls(
    route: Route,
    attempts: int,
    lost_s: float,
    took_s: float,
    *,
    waited_s: float = 0.0,
    http_status: int | None = None,
    error_code: str | None = None,
) -> list[Try]:
    """One call, or two: where it took two `attempts`, the first one had `lost_s` of the `took_s` on a kept connection
    that the provider had closed."""
    last = Try(
        provider=route.provider.key,
        model=route.upstream_model,
        http_status=http_status,
        error_code=error_code,
        duration_ms=_ms(took_s - lost_s),
        waited_ms=None if attempts > 1 else _ms(waited_s) or None,
    )
    if attempts < 2:
        return [last]
    lost = Try(
        provider=route.provider.key,
        model=route.upstream_model,
        error_code="upstream_unreachable",
        duration_ms=_ms(lost_s),
        waited_ms=_ms(waited_s) or None,
    )
    return [lost, last]


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 3)
