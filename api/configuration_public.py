"""What of the configuration may be shown, and what must not be."""

import re
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import msgspec

from api.configuration_sections import KeyEntry
from api.configuration_telemetry import Telemetry
from api.places import with_tilde
from proxy.providers import Model, Provider, Retry

_SECRET_QUERY = ("key", "api_key", "apikey", "token", "access_token")
_SCHEME = re.compile(r"(?i)(?:basic|bearer|token|key|api-?key)\s+(\S+)")


def without_home(value: Any) -> Any:
    """The values with the home directory as `~`, wherever a text begins with it."""
    if isinstance(value, str):
        return with_tilde(value)
    if isinstance(value, dict):
        return {key: without_home(each) for key, each in value.items()}
    return [without_home(each) for each in value] if isinstance(value, list | tuple) else value


def public_provider(provider: Provider) -> dict[str, Any]:
    return {
        "type": provider.type,
        "base_url": _public_url(provider.base_url),
        "has_api_key": bool(provider.api_key),
        "headers": sorted(provider.headers),
        "include_usage": provider.include_usage,
        "allow_any_model": provider.allow_any_model,
        "cached_price_ratio": provider.cached_price_ratio,
        "connect_timeout_s": provider.connect_timeout_s,
        "read_timeout_s": provider.read_timeout_s,
        "max_rpm": provider.max_rpm,
        "retry": _public_retry(provider.retry),
    }


def public_model(model: Model) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(model)
    return {key: value for key, value in fields.items() if key != "key"}


def public_key(entry: KeyEntry) -> dict[str, Any]:
    return {"has_key": bool(entry.key), **entry.model_dump(exclude={"key"})}


def public_telemetry(section: Telemetry) -> dict[str, Any]:
    shown = {"endpoint": _public_url(section.endpoint), "headers": sorted(section.headers)}
    return {**section.model_dump(), **shown}


def _public_retry(retry: Retry | None) -> dict[str, Any] | None:
    if retry is None:
        return None
    waits = {"backoff_ms": round(retry.backoff_s * 1_000), "max_wait_ms": round(retry.max_wait_s * 1_000)}
    return {"attempts": retry.attempts, "on": sorted(retry.on), **waits}


def _public_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def forms_of(secret: str) -> set[str]:
    """As it may stand in a text: each of its lines, and what an Authorization header holds behind its scheme."""
    scheme = _SCHEME.fullmatch(secret.strip())
    lines = {line.strip() for line in (secret, *secret.splitlines())}
    return lines | {secret} | ({scheme[1]} if scheme is not None else set())


def secrets_of(url: str) -> set[str]:
    """Passwords and keys of an address (decisions 3.14), and what Basic authentication makes of them."""
    parts = urlsplit(url)
    found = {value for name, value in parse_qsl(parts.query) if name.lower() in _SECRET_QUERY}
    if not parts.password:
        return found
    user, password = unquote(parts.username or ""), unquote(parts.password)
    return found | {parts.password, password, b64encode(f"{user}:{password}".encode()).decode()}
