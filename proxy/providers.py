"""Providers, models, and the way from a requested model to both (contract 3.3.1, 1)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

ProviderType = Literal["openai", "gemini", "anthropic", "echo"]

DEFAULT_CONTEXT = 262_144
_CHAT = "/chat/completions"
_VENDORS: dict[ProviderType, tuple[str, str, str, str]] = {  # base_url, name, icon, color
    "openai": ("https://api.openai.com/v1", "OpenAI", "openai", "#10a37f"),
    "gemini": ("https://generativelanguage.googleapis.com/v1beta/openai", "Gemini", "gemini", "#4285f4"),
    "anthropic": ("https://api.anthropic.com/v1", "Anthropic", "anthropic", "#d97757"),
    "echo": ("", "Demo", "echo", "#64748b"),
}


class ModelNotFoundError(LookupError):
    """No configured model answers to the requested name. The message may be shown."""


class ProviderNotConfiguredError(Exception):
    """The model's provider needs a key that the configuration does not have. The message may be shown."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars per million tokens; None where the configuration names none."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An empty `base_url` means the vendor's own address, which needs an `api_key`; with an explicit one an empty key
    sends no Authorization. Timeouts in seconds."""

    key: str
    type: ProviderType = "openai"
    base_url: str = ""
    api_key: str = ""
    headers: Mapping[str, str] = {}
    include_usage: bool = True
    allow_any_model: bool = False
    cached_price_ratio: float = 0.1
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 600.0

    @property
    def name(self) -> str:
        return _VENDORS[self.type][1] if self.key == self.type else self.key

    @property
    def icon(self) -> str:
        return _VENDORS[self.type][2]

    @property
    def color(self) -> str:
        return _VENDORS[self.type][3]

    @property
    def address(self) -> str:
        """The base URL in use, without a slash at its end."""
        return (self.base_url or _VENDORS[self.type][0]).rstrip("/").removesuffix(_CHAT)

    def __repr__(self) -> str:  # neither key nor headers may come into a log
        return f"Provider(key={self.key!r}, type={self.type!r})"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the name in the configuration, `model` that at the provider."""

    key: str
    provider: str
    model: str
    max_context_size: int = DEFAULT_CONTEXT
    max_output_tokens: int | None = None
    capabilities: Sequence[str] = ()
    price: Price = Price()


class Route(msgspec.Struct, frozen=True):
    """Where a request goes: provider, the model's name there and in the configuration, its window in tokens."""

    provider: Provider
    upstream_model: str
    model_key: str
    max_context: int


class Catalogue:
    """The configured providers and models. No address outside of it is ever called."""

    def __init__(self, providers: Sequence[Provider], models: Sequence[Model], default_model: str | None) -> None:
        self._providers = {provider.key: provider for provider in providers}
        self._models = {model.key: model for model in models}
        self.default_model = default_model if default_model is not None else next(iter(self._models), None)
        by_name: dict[str, list[Model]] = {}
        for model in models:
            by_name.setdefault(model.model, []).append(model)
        self._unique = {name: found[0] for name, found in by_name.items() if len(found) == 1}
        self._named = {model.provider for model in models}
        self._urls = {provider.key: provider.address + _CHAT for provider in providers}
        self._routes = {model.key: self._route(model) for model in models}

    @property
    def default_provider(self) -> str:
        """The provider of the default model, else the first one."""
        model = self._models.get(self.default_model or "")
        return model.provider if model is not None else next(iter(self._providers), "")

    def resolve(self, model: str | None, fallback: str | None) -> Route:
        """The route of the requested model, or of `fallback` where none was requested, else of the default model.

        A configuration key goes before a unique upstream name, and that before `provider/name` where the provider
        takes any model. Raises ModelNotFoundError and ProviderNotConfiguredError.
        """
        route = self._find(model) if model is not None else self._first_of(fallback, self.default_model)
        if route is None:
            if model is None:
                raise ModelNotFoundError("The request names no model and none is configured as the default.")
            raise ModelNotFoundError(f"The model '{model[:200]}' does not exist. Configured: {self._choices()}.")
        provider = route.provider
        if provider.type != "echo" and not provider.base_url and not provider.api_key:
            raise ProviderNotConfiguredError(
                f"The provider '{provider.key}' has no api_key: set providers.{provider.key}.api_key."
            )
        return route

    def models(self) -> list[Model]:
        return list(self._models.values())

    def providers(self) -> list[Provider]:
        """The default one first, then by name."""
        default = self.default_provider
        return sorted(self._providers.values(), key=lambda each: (each.key != default, each.name.lower(), each.key))

    def chat_url(self, provider: Provider) -> str:
        return self._urls[provider.key]

    def provider_known(self, key: str) -> bool:
        return key in self._providers

    def max_context(self, provider: str, model: str | None) -> int:
        """Tokens of the model's window; of the provider's smallest where the model is unknown."""
        route = self._find(model) if model else None
        if route is not None:
            return route.max_context
        sizes = [each.max_context_size for each in self._models.values() if each.provider == provider]
        return min(sizes, default=DEFAULT_CONTEXT)

    def _first_of(self, *names: str | None) -> Route | None:
        return next((route for name in names if name and (route := self._find(name)) is not None), None)

    def _find(self, name: str) -> Route | None:
        route = self._routes.get(name)
        if route is not None:
            return route
        known = self._unique.get(name)
        if known is not None:
            return self._routes[known.key]
        key, _, rest = name.partition("/")
        provider = self._providers.get(key)
        if provider is None or not rest or provider.type == "echo":
            return None
        if not provider.allow_any_model and key in self._named:
            return None
        sizes = [each.max_context_size for each in self._models.values() if each.provider == key]
        return Route(provider, rest, name, min(sizes, default=DEFAULT_CONTEXT))

    def _route(self, model: Model) -> Route:
        return Route(self._providers[model.provider], model.model, model.key, model.max_context_size)

    def _choices(self) -> str:
        names = sorted(self._models)
        shown = ", ".join(names[:20]) or "none"
        return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
