"""Which provider and model a request goes to. Pure: everything comes from the configuration.

Only addresses that stand in the configuration, or a vendor's own for its type, are ever given out (contract 3.3.1, 1).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

ProviderType = Literal["openai", "gemini", "anthropic", "echo"]

DEFAULT_CONTEXT = 262_144  # tokens (contract section 2, SessionX)
VENDOR_URLS: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "anthropic": "https://api.anthropic.com/v1",
}
_ROOTS = {"gemini": "/v1beta/openai"}  # where an address without a path has its API; else /v1
_CHAT = "/chat/completions"
_LISTED = 20  # models that an error names


class ModelNotFoundError(Exception):
    """No configured model or provider is meant by the name; the text may be shown."""


class ProviderNotConfiguredError(Exception):
    """The provider is known but has no key or no address; the text may be shown."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars per million tokens; None where the configuration does not say."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often a provider is asked in all, and after which statuses of an answer it is asked again: 502 stands for one
    that could not be reached too, 504 for one that did not answer in time. The pause doubles each time; what the
    provider asks for (Retry-After) counts instead, up to `max_wait_s`."""

    attempts: int = 2
    on: frozenset[int] = frozenset((429, 500, 502, 503, 529))
    backoff_s: float = 0.5
    max_wait_s: float = 10.0

    def pauses(self) -> Iterator[float]:
        """Seconds before each attempt; the first comes at once."""
        yield 0.0
        for number in range(self.attempts - 1):
            yield min(self.backoff_s * 2**number, self.max_wait_s)


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """`base_url` None means the vendor's own address, which needs an `api_key`; with an address of one's own the key
    may be empty, and then no Authorization is sent (decisions 3.6). Timeouts in seconds, the second between bytes;
    `max_rpm` 0 for no limit; without `retry` it is asked once."""

    key: str
    type: ProviderType
    base_url: str | None = None
    api_key: str = ""
    headers: Mapping[str, str] = {}
    include_usage: bool = True
    cached_price_ratio: float = 0.1
    allow_any_model: bool = False
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 600.0
    max_rpm: int = 0
    retry: Retry | None = None
    name: str = ""
    icon: str = ""
    color: str = ""

    def __repr__(self) -> str:  # keys, headers and addresses hold secrets, and must not come into a log
        return f"Provider(key={self.key!r}, type={self.type!r})"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the name that clients use, `model` that at the provider; sizes in tokens. `fallback` are models, as
    clients name them, that are asked in this order where it fails."""

    key: str
    provider: str
    model: str
    max_context_size: int = DEFAULT_CONTEXT
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] = ()
    price: Price | None = None
    fallback: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where one request goes. `model_key` is the configured key, else the name as requested; `max_context` in
    tokens; `fallbacks` are where it goes after that."""

    provider: Provider
    upstream_model: str
    model_key: str
    max_context: int
    fallbacks: tuple["Route", ...] = ()


class Catalogue:
    """The configured providers and models. Each model's provider must be among `providers`."""

    def __init__(self, providers: Iterable[Provider], models: Iterable[Model], default_model: str | None) -> None:
        self._providers = {provider.key: provider for provider in providers}
        self._models = {model.key: model for model in models}
        self._default_model = default_model
        self._named: dict[str, list[Model]] = {}
        self._owned: dict[str, list[Model]] = {key: [] for key in self._providers}
        for model in self._models.values():
            self._named.setdefault(model.model, []).append(model)
            self._owned[model.provider].append(model)
        self._urls = {key: _chat_url(provider) for key, provider in self._providers.items()}
        self._fallbacks: dict[str, tuple[Route, ...]] = {}
        self._resolved: dict[str, Route] = {}  # by names that the configuration has
        self._fallbacks = {model.key: tuple(self._usable(model)) for model in self._models.values() if model.fallback}
        self._resolved.clear()  # without those

    def resolve(self, model: str | None, fallback: str | None) -> Route:
        """The way of a request for `model`; None or empty takes `fallback`, then the default model.

        Order (contract 3.3.1, 1): configured key, unique name at a provider, `provider/name`. Raises
        ModelNotFoundError or ProviderNotConfiguredError.
        """
        wanted = model or fallback or self._default_model
        if not wanted:
            raise ModelNotFoundError("The request names no model, and no default_model is configured.")
        known = self._resolved.get(wanted)
        if known is not None:
            return known
        configured = self._configured(wanted)
        route = configured or self._prefixed(wanted)
        if route is None:
            raise ModelNotFoundError(self._not_found(wanted))
        self._check_configured(route.provider)
        if configured is not None:
            self._resolved[wanted] = configured
        return route

    def _usable(self, model: Model) -> Iterator[Route]:
        """Its fallbacks: those of them have no fallbacks here. One that is not configured is left out."""
        for name in model.fallback:
            try:
                yield self.resolve(name, None)
            except (ModelNotFoundError, ProviderNotConfiguredError):
                continue

    def models(self) -> list[Model]:
        """In the order of the configuration."""
        return list(self._models.values())

    def providers(self) -> list[Provider]:
        """The default model's provider first, then by name."""
        first = self.default_provider()
        return sorted(self._providers.values(), key=lambda each: (each.key != first, each.name.casefold(), each.key))

    def default_provider(self) -> str | None:
        """The key of the default model's provider; None where no default model is configured or its name is wrong."""
        wanted = self._default_model
        route = (self._configured(wanted) or self._prefixed(wanted)) if wanted else None
        return route.provider.key if route is not None else None

    def chat_url(self, provider: Provider) -> str:
        """Where completions of a configured provider are posted to; empty where it has no address."""
        return self._urls[provider.key]

    def max_context(self, provider_key: str, model: str | None) -> int:
        """Tokens: of the model where `model` is a configured key or a name at the provider, else the provider's
        smallest, else 262,144."""
        owned = self._owned.get(provider_key, [])
        for known in owned:
            if model in (known.key, known.model):
                return known.max_context_size
        if model in self._models:
            return self._models[model].max_context_size
        sizes = [known.max_context_size for known in self._named.get(model or "", []) or owned]
        return min(sizes, default=DEFAULT_CONTEXT)

    def provider_known(self, key: str) -> bool:
        return key in self._providers

    def model_known(self, provider_key: str, name: str) -> bool:
        """Whether the configuration names it, by its key or by its name at the provider."""
        return any(name in (model.key, model.model) for model in self._owned.get(provider_key, ()))

    def _configured(self, wanted: str) -> Route | None:
        named = self._named.get(wanted, [])
        model = self._models.get(wanted) or (named[0] if len(named) == 1 else None)
        return None if model is None else self._route(model)

    def _route(self, model: Model) -> Route:
        return Route(
            provider=self._providers[model.provider],
            upstream_model=model.model,
            model_key=model.key,
            max_context=model.max_context_size,
            fallbacks=self._fallbacks.get(model.key, ()),
        )

    def _prefixed(self, wanted: str) -> Route | None:
        """`provider/name`: a configured model of the provider, or any where it allows that or lists none."""
        key, _, name = wanted.partition("/")
        provider = self._providers.get(key)
        if provider is None or not name:
            return None
        for model in self._owned[key]:
            if name in (model.key, model.model):
                return self._route(model)
        if self._owned[key] and not provider.allow_any_model:
            return None
        return Route(provider=provider, upstream_model=name, model_key=wanted, max_context=self.max_context(key, None))

    def _not_found(self, wanted: str) -> str:
        shown = wanted[:200]
        keys = [model.key for model in self._named.get(wanted, [])]
        if keys:
            return f"Several models have the name {shown} at their providers; use one of: {', '.join(sorted(keys))}."
        key = wanted.partition("/")[0]
        known = self._owned.get(key) or list(self._models.values())
        listed = ", ".join(sorted(model.key for model in known)[:_LISTED])
        return f"There is no model {shown}." + (f" There are: {listed}." if listed else "")

    def _check_configured(self, provider: Provider) -> None:
        if provider.type == "echo":
            return
        if not self._urls[provider.key]:
            raise ProviderNotConfiguredError(
                f"Provider {provider.key} has no address: set providers.{provider.key}.base_url."
            )
        if provider.base_url is None and not provider.api_key:
            raise ProviderNotConfiguredError(
                f"Provider {provider.key} has no key: set providers.{provider.key}.api_key."
            )


def _chat_url(provider: Provider) -> str:
    """The base address may end in a slash, name the API's root or the whole path, and carry a query."""
    base = VENDOR_URLS.get(provider.type, "") if provider.base_url is None else provider.base_url.strip()
    if not base:
        return ""
    parts = urlsplit(base)
    path = parts.path.rstrip("/") or _ROOTS.get(provider.type, "/v1")
    if not path.endswith(_CHAT):
        path += _CHAT
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
