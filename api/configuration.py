"""The configuration (contract 6): read once at the start, checked, and shown without its secrets.

Order of precedence: command line, file, default. The file is the one given, `$CHRONOPROXY_CONFIG`, `./config.toml`, or
`config.toml` in the user's configuration directory; without any the embedded demo provider serves.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from api.configuration_access import access_warnings
from api.configuration_checks import (
    check_embedder,
    check_keys,
    check_mcp,
    check_together,
    missing_ledgers,
    missing_roots,
)
from api.configuration_file import ConfigurationError, Document, find_file, read_document
from api.configuration_mcp import Mcp
from api.configuration_names import flat, shown_names
from api.configuration_providers import demo_provider, made_models, made_providers
from api.configuration_public import (
    forms_of,
    public_key,
    public_model,
    public_provider,
    public_telemetry,
    secrets_of,
    without_home,
)
from api.configuration_sections import (
    Budgets,
    Cline,
    Compaction,
    FileModel,
    KeyEntry,
    LedgersSection,
    MemorySection,
    ObservationMasking,
    PricesSection,
    RateLimit,
    RecordingSection,
    Reduction,
    RetentionSection,
    Sanitizer,
    Schema1,
    Server,
)
from api.configuration_telemetry import Telemetry
from api.configuration_warnings import dotted, without_effect
from api.network_checks import network_faults
from api.places import default_data_dir, shown
from api.price_book import price_book
from context.compaction import CompactionSettings
from context.replacements import ReductionSettings
from context.window import WindowSettings
from proxy.compacting import AutoCompaction
from proxy.demo_replies import MODELS as DEMO_MODELS
from proxy.providers import Catalogue, Model, Provider
from schema.prices import PriceRow

__all__ = ["Configuration", "ConfigurationError", "Overrides", "load"]


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the command line, None where it names none."""

    host: str | None = None
    port: int | None = None
    data_dir: Path | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The values in force; `given` names those (as they are shown) that the file or the command line set."""

    file: Path | None
    data_dir: Path
    default_model: str | None
    server: Server
    rate_limit: RateLimit
    recording: RecordingSection
    sanitizer: Sanitizer
    reduction: Reduction
    observation_masking: ObservationMasking
    compaction: Compaction
    retention: RetentionSection
    memory: MemorySection
    mcp: Mcp
    cline: Cline
    ledgers: LedgersSection
    prices: PricesSection
    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    warnings: tuple[str, ...]
    keys: Mapping[str, KeyEntry] = {}
    budgets: Budgets = Budgets()
    telemetry: Telemetry = Telemetry()
    given: tuple[str, ...] = ()
    price_book: tuple[PriceRow, ...] = ()

    def catalogue(self) -> Catalogue:
        return Catalogue(self.providers, self.models, self.default_model)

    def secrets(self) -> frozenset[str]:
        """Every value that must not be shown: keys, tokens, configured provider headers, and what an address holds of
        them."""
        found = {self.server.token, *self.client_keys()}
        found |= {*self.telemetry.headers.values(), *secrets_of(self.telemetry.endpoint)}
        for provider in self.providers:
            found |= {provider.api_key, *provider.headers.values(), *secrets_of(provider.base_url or "")}
        found |= self.mcp.secrets()
        for entry in self.mcp.servers.values():
            found |= secrets_of(entry.url)
        return frozenset(form for secret in found for form in forms_of(secret)) - {""}

    def names(self) -> frozenset[str]:
        """What it calls things: providers, models, clients' keys and servers of tools."""
        found = {self.default_model or "", *self.keys, *self.mcp.servers}
        for provider in self.providers:
            found |= {provider.key, provider.type, provider.name}
        for model in self.models:
            found |= {model.key, model.model}
        return frozenset(found - {""})

    def client_keys(self) -> tuple[str, ...]:
        """Those without and those with a name."""
        return (*self.server.client_keys, *(entry.key for entry in self.keys.values()))

    def public_values(self) -> dict[str, Any]:
        """All of it without secrets: keys as has_*, addresses without userinfo and query, headers by name, the home
        directory as `~`."""
        server = self.server.model_dump(exclude={"token", "client_keys"})
        server |= {"has_token": bool(self.server.token), "has_client_keys": bool(self.server.client_keys)}
        values = {
            "default_model": self.default_model,
            "server": server,
            "rate_limit": self.rate_limit.model_dump(),
            "budgets": self.budgets.model_dump(),
            "keys": {name: public_key(entry) for name, entry in self.keys.items()},
            "recording": self.recording.model_dump(),
            "sanitizer": self.sanitizer.model_dump(),
            "reduction": self.reduction.model_dump(),
            "observation_masking": self.observation_masking.model_dump(),
            "compaction": self.compaction.model_dump(),
            "retention": self.retention.model_dump(),
            "memory": self.memory.model_dump(),
            "telemetry": public_telemetry(self.telemetry),
            "mcp": self.mcp.public(),
            "cline": self.cline.model_dump(),
            "ledgers": self.ledgers.model_dump(),
            "prices": {"file": shown(Path(self.prices.file)) if self.prices.file else ""},
            "providers": {each.key: public_provider(each) for each in self.providers},
            "models": {each.key: public_model(each) for each in self.models},
        }
        return {key: without_home(each) for key, each in values.items()}

    def reduction_settings(self) -> ReductionSettings:
        """What sections [reduction] and [sanitizer] say of the stages."""
        settings = self.reduction.model_dump(exclude={"enabled"})
        return ReductionSettings(
            **settings,
            threshold_tokens=self.sanitizer.threshold_tokens,
            keep_tokens=self.sanitizer.keep_tokens,
            command_tools=tuple(self.sanitizer.trigger_tags),
            window=_window(self.observation_masking.schema1),
        )

    def auto_compaction(self) -> AutoCompaction:
        """What section [compaction] says of compacting by itself."""
        section = self.compaction
        return AutoCompaction(
            settings=self.compaction_settings(),
            enabled=section.enabled,
            auto=section.auto.auto_compact,
            threshold=section.auto.auto_compact_threshold,
            cooldown_ms=int(section.auto.auto_compact_cooldown * 60_000),
            max_consecutive=section.auto.max_consecutive_auto_compactions,
            preserve_messages=section.max_preserved_messages,
            reserved_tokens=section.reserved_tokens,
        )

    def compaction_settings(self) -> CompactionSettings:
        return CompactionSettings(
            target_reduction_ratio=self.compaction.target_reduction_ratio,
            min_tokens_to_compact=self.compaction.min_tokens_to_compact,
            min_messages_to_compact=self.compaction.min_messages_to_compact,
        )

    @property
    def hash(self) -> str:
        """sha256 over the public values and which of them were given: it tells whether the configuration changed, and
        nothing of the secrets."""
        return hashlib.sha256(msgspec.json.encode((self.public_values(), self.given), order="sorted")).hexdigest()


def load(path: Path | None, overrides: Overrides, environment: Mapping[str, str]) -> Configuration:
    """Read, check and complete the configuration. Raises ConfigurationError, which names the file and the key."""
    file = find_file(path, environment)
    document = read_document(file, environment) if file is not None else Document({}, [])
    values = _checked(document.values, file)
    warnings = [*document.warnings, *without_effect(document.values)]
    providers, models = made_providers(values), made_models(values)
    if not providers:
        if file is not None:
            warnings.append("there is no [providers] section: the demo provider serves")
        providers = (demo_provider(),)
        models = (*(Model(key=name, provider="demo", model=name) for name in DEMO_MODELS), *models)
    default = values.default_model or (models[0].key if models else None)
    server = values.server.model_copy(
        update={key: value for key, value in (("host", overrides.host), ("port", overrides.port)) if value is not None}
    )
    try:
        check_keys(server, values.keys)
        check_mcp(server, values.mcp)
        check_embedder(values.memory.embedder, providers)
        if values.memory.detect and not values.recording.contents:
            raise ConfigurationError("memory.detect: without recording.contents there is nothing to remember")
        check_together(server, providers, models, default, values.sanitizer.compression.model)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}" if file is not None else str(error)) from None
    warnings += [*access_warnings(server), *network_faults(environment)]
    warnings += [*missing_roots(values.mcp), *missing_ledgers(values.cline, values.ledgers)]
    configuration = Configuration(
        file=file,
        data_dir=overrides.data_dir or _path(server.data_dir) or default_data_dir(environment),
        default_model=default,
        server=server,
        rate_limit=values.rate_limit,
        keys=values.keys,
        budgets=values.budgets,
        telemetry=values.telemetry,
        recording=values.recording,
        sanitizer=values.sanitizer,
        reduction=values.reduction,
        observation_masking=values.observation_masking,
        compaction=values.compaction,
        retention=values.retention,
        memory=values.memory,
        mcp=values.mcp,
        cline=values.cline,
        ledgers=values.ledgers,
        prices=values.prices,
        providers=providers,
        models=models,
        warnings=tuple(warnings),
        price_book=_price_book(values, models, file),
    )
    named = shown_names(document.values) | {f"server.{key}" for key in ("host", "port") if getattr(overrides, key)}
    given = tuple(sorted(named & flat(configuration.public_values()).keys()))
    return msgspec.structs.replace(configuration, given=given)


def _checked(values: Mapping[str, Any], file: Path | None) -> FileModel:
    known = {key: value for key, value in values.items() if key in FileModel.model_fields}
    try:
        return FileModel.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = dotted(part for part in first["loc"] if part != "[key]")
        raise ConfigurationError(f"{file}: {key}: {first['msg'].removeprefix('Value error, ')}") from None


def _price_book(values: FileModel, models: tuple[Model, ...], file: Path | None) -> tuple[PriceRow, ...]:
    named = _path(values.prices.file)
    path = file.parent / named if named is not None and file is not None else named
    try:
        return price_book(models, path)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from None


def _window(section: Schema1) -> WindowSettings | None:
    if not section.enabled:
        return None
    return WindowSettings(
        turns=section.window_turns,
        keep_errors=section.keep_errors,
        keep_last_k_per_tool=section.keep_last_k_per_tool,
        placeholder=section.placeholder_template,
    )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
