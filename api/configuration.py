"""The configuration (contract 6): read once at the start, checked, and shown without its secrets.

Order of precedence: command line, file, default. The file is the one given, `$CHRONOPROXY_CONFIG`, `./config.toml`, or
`config.toml` in the user's configuration directory; without any the embedded demo provider serves.
"""

import hashlib
import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from pydantic import ValidationError

from api.configuration_file import ConfigurationError, Document, find_file, read_document
from api.configuration_sections import FileModel, RateLimit, RecordingSection, Server
from api.places import default_data_dir
from proxy.demo_replies import MODELS as DEMO_MODELS
from proxy.providers import Catalogue, Model, Price, Provider

__all__ = ["Configuration", "ConfigurationError", "Overrides", "load"]

_LATER = frozenset(
    ("sanitizer", "reduction", "observation_masking", "compaction", "mcp", "cline", "context_pruning", "routing")
)


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the command line, None where it names none."""

    host: str | None = None
    port: int | None = None
    data_dir: Path | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The values in force."""

    file: Path | None
    data_dir: Path
    default_model: str | None
    server: Server
    rate_limit: RateLimit
    recording: RecordingSection
    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    warnings: tuple[str, ...]

    def catalogue(self) -> Catalogue:
        return Catalogue(self.providers, self.models, self.default_model)

    def secrets(self) -> frozenset[str]:
        """Every value that must not be shown: keys, tokens, and configured provider headers."""
        found = {self.server.token, *self.server.client_keys}
        for provider in self.providers:
            found |= {provider.api_key, *provider.headers.values(), urlsplit(provider.base_url or "").password or ""}
        return frozenset(found - {""})

    def public_values(self) -> dict[str, Any]:
        """All of it without secrets: keys as has_*, addresses without userinfo and query, headers by name."""
        server = self.server.model_dump(exclude={"token", "client_keys"})
        server |= {"has_token": bool(self.server.token), "has_client_keys": bool(self.server.client_keys)}
        return {
            "default_model": self.default_model,
            "server": server,
            "rate_limit": self.rate_limit.model_dump(),
            "recording": self.recording.model_dump(),
            "providers": {each.key: _public_provider(each) for each in self.providers},
            "models": {each.key: _public_model(each) for each in self.models},
        }

    @property
    def hash(self) -> str:
        """sha256 over the public values: it tells whether the configuration changed, and nothing of the secrets."""
        return hashlib.sha256(msgspec.json.encode(self.public_values(), order="sorted")).hexdigest()


def load(path: Path | None, overrides: Overrides, environment: Mapping[str, str]) -> Configuration:
    """Read, check and complete the configuration. Raises ConfigurationError, which names the file and the key."""
    file = find_file(path, environment)
    document = read_document(file, environment) if file is not None else Document({}, [])
    values = _checked(document.values, file)
    warnings = [*document.warnings, *_unknown(document.values)]
    providers, models = _providers(values), _models(values)
    if not providers:
        if file is not None:
            warnings.append("there is no [providers] section: the demo provider serves")
        providers = (_demo_provider(),)
        models = tuple(Model(key=name, provider="demo", model=name) for name in DEMO_MODELS)
    default = values.default_model or (models[0].key if models else None)
    server = values.server.model_copy(
        update={key: value for key, value in (("host", overrides.host), ("port", overrides.port)) if value is not None}
    )
    configuration = Configuration(
        file=file,
        data_dir=overrides.data_dir or _path(server.data_dir) or default_data_dir(environment),
        default_model=default,
        server=server,
        rate_limit=values.rate_limit,
        recording=values.recording,
        providers=providers,
        models=models,
        warnings=tuple(warnings),
    )
    _check_together(configuration, file)
    return configuration


def _checked(values: Mapping[str, Any], file: Path | None) -> FileModel:
    known = {key: value for key, value in values.items() if key in FileModel.model_fields}
    try:
        return FileModel.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{file}: {key}: {first['msg']}") from None


def _unknown(values: Mapping[str, Any]) -> list[str]:
    """One warning for every section or key that has no effect."""
    warnings = [f"[{key}] has no effect yet" for key in values if key in _LATER]
    warnings += [f"unknown key {key}" for key in values if key not in FileModel.model_fields and key not in _LATER]
    for section, model in (("server", Server), ("rate_limit", RateLimit), ("recording", RecordingSection)):
        given = values.get(section)
        for key in given if isinstance(given, dict) else ():
            if key not in model.model_fields:
                warnings.append(f"unknown key {section}.{key}")
    for section in ("providers", "models"):
        fields = FileModel.entry_fields(section)
        for name, entry in (values.get(section) or {}).items():
            warnings += [f"unknown key {section}.{name}.{key}" for key in entry if key not in fields]
    return warnings


def _providers(values: FileModel) -> tuple[Provider, ...]:
    return tuple(
        Provider(
            key=key,
            type=entry.type,
            base_url=entry.base_url,
            api_key=entry.api_key,
            headers=entry.headers,
            include_usage=entry.include_usage,
            allow_any_model=entry.allow_any_model,
            connect_timeout_s=entry.connect_timeout_s or values.server.connect_timeout_s,
            read_timeout_s=entry.read_timeout_s or values.server.read_timeout_s,
            name=entry.name or key,
            icon=entry.icon or entry.type,
            color=entry.color or _COLORS[entry.type],
        )
        for key, entry in values.providers.items()
    )


def _models(values: FileModel) -> tuple[Model, ...]:
    return tuple(
        Model(
            key=key,
            provider=entry.provider,
            model=entry.model or key,
            max_context_size=entry.max_context_size,
            max_output_tokens=entry.max_output_tokens,
            capabilities=tuple(entry.capabilities),
            price=Price(**entry.price.model_dump()) if entry.price is not None else None,
        )
        for key, entry in values.models.items()
    )


def _check_together(configuration: Configuration, file: Path | None) -> None:
    """What no single value shows."""
    known = {provider.key for provider in configuration.providers}
    for model in configuration.models:
        if model.provider not in known:
            raise ConfigurationError(f"{file}: models.{model.key}.provider: there is no provider {model.provider!r}")
    server = configuration.server
    if not _loopback(server.host) and not server.token:
        raise ConfigurationError(f"server.host: {server.host} is open to others, so server.token must be set")
    for provider in configuration.providers:
        if provider.base_url is not None and _is_own(provider.base_url, server):
            raise ConfigurationError(f"{file}: providers.{provider.key}.base_url: this is the proxy's own address")


def _is_own(base_url: str, server: Server) -> bool:
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    same = host == server.host or (_loopback(host) and (_loopback(server.host) or _wildcard(server.host)))
    return server.port != 0 and port == server.port and same


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wildcard(host: str) -> bool:
    return host in (str(ipaddress.IPv4Address(socket.INADDR_ANY)), "::")


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _demo_provider() -> Provider:
    return Provider(key="demo", type="echo", name="Demo", icon="echo", color=_COLORS["echo"])


def _public_provider(provider: Provider) -> dict[str, Any]:
    return {
        "type": provider.type,
        "base_url": _public_url(provider.base_url),
        "has_api_key": bool(provider.api_key),
        "headers": sorted(provider.headers),
        "include_usage": provider.include_usage,
        "allow_any_model": provider.allow_any_model,
        "connect_timeout_s": provider.connect_timeout_s,
        "read_timeout_s": provider.read_timeout_s,
    }


def _public_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _public_model(model: Model) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(model)
    return {key: value for key, value in fields.items() if key != "key"}


_COLORS = {"openai": "#10a37f", "gemini": "#4285f4", "anthropic": "#d97757", "echo": "#64748b"}
