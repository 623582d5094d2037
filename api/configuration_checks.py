"""What no single value of the configuration shows: addresses that would loop or be open, names that lead nowhere."""

import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from api.configuration_file import ConfigurationError
from api.configuration_mcp import Mcp
from api.configuration_sections import Cline, KeyEntry, LedgersSection, MemoryEmbedder, Server
from api.configuration_warnings import dotted
from api.embedding import EmbedderError, check_model, check_numpy
from ledgers.places import Machine
from proxy.providers import Catalogue, Model, ModelNotFoundError, Provider, ProviderNotConfiguredError


def check_together(
    server: Server,
    providers: Sequence[Provider],
    models: Sequence[Model],
    default_model: str | None,
    summary_model: str = "",
) -> None:
    """Raises ConfigurationError, whose text begins with the key."""
    _check_open(server)
    keys = {provider.key for provider in providers}
    for model in models:
        if model.provider not in keys:
            key = dotted(("models", model.key, "provider"))
            raise ConfigurationError(f"{key}: there is no provider {model.provider!r}")
    for provider in providers:
        _check_provider(provider, server)
    _check_fallbacks(Catalogue(providers, models, default_model), models)
    if default_model and Catalogue(providers, models, default_model).default_provider() is None:
        raise ConfigurationError(f"default_model: there is no model {default_model!r}")
    if summary_model:
        _check_summary_model(Catalogue(providers, models, default_model), summary_model)


def check_keys(server: Server, named: Mapping[str, KeyEntry]) -> None:
    """Each named key is there, and is nobody else's. Raises ConfigurationError, whose text begins with the key."""
    seen = {server.token, *server.client_keys}
    for name, entry in named.items():
        path = dotted(("keys", name, "key"))
        if not entry.key:
            raise ConfigurationError(f"{path}: it is empty, and would let in everybody")
        if entry.key in seen:
            raise ConfigurationError(f"{path}: the same key stands elsewhere")
        seen.add(entry.key)


def check_embedder(chosen: MemoryEmbedder, providers: Iterable[Provider]) -> None:
    """Raises ConfigurationError, whose text begins with the key."""
    known = {provider.key: provider for provider in providers}
    try:
        if chosen.path and chosen.provider:
            raise ConfigurationError("memory.embedder: path and provider are two embedders, and one is used")
        if chosen.path:
            check_model(Path(chosen.path).expanduser())
        if chosen.provider:
            _check_remote(chosen, known.get(chosen.provider))
    except EmbedderError as error:
        raise ConfigurationError(f"memory.embedder.{'path' if chosen.path else 'provider'}: {error}") from None


def _check_remote(chosen: MemoryEmbedder, provider: Provider | None) -> None:
    """Raises ConfigurationError and EmbedderError."""
    if provider is None:
        raise ConfigurationError(f"memory.embedder.provider: there is no provider {chosen.provider!r}")
    if provider.type == "echo":
        raise ConfigurationError("memory.embedder.provider: the demo has no embeddings")
    if not chosen.model:
        raise ConfigurationError("memory.embedder.model: it must name the provider's model for embeddings")
    check_numpy()


def _check_fallbacks(catalogue: Catalogue, models: Iterable[Model]) -> None:
    """One whose provider has no key now is passed over when it would be its turn; a name that leads nowhere is an
    error."""
    for model in models:
        for name in model.fallback:
            path = dotted(("models", model.key, "fallback"))
            try:
                route = catalogue.resolve(name, None)
            except ModelNotFoundError:
                raise ConfigurationError(f"{path}: there is no model {name!r}") from None
            except ProviderNotConfiguredError:
                continue
            if route.model_key == model.key:
                raise ConfigurationError(f"{path}: {name!r} is the model itself")


def check_mcp(server: Server, mcp: Mcp) -> None:
    """Raises ConfigurationError, whose text begins with the key."""
    for name, entry in mcp.servers.items():
        parts = urlsplit(entry.url)
        if entry.url and _is_own(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), server):
            raise ConfigurationError(f"{dotted(('mcp', 'servers', name, 'url'))}: this is the proxy's own address")


def missing_roots(mcp: Mcp) -> list[str]:
    """Warnings: of the directories that are opened to tools, those that are not there. They may come later."""
    roots = mcp.fast_filesystem.roots
    missing = [root for root in roots if not os.path.isdir(os.path.expanduser(root))]
    return [f"mcp.fast_filesystem.roots: {root} is no directory" for root in missing]


def missing_ledgers(cline: Cline, ledgers: LedgersSection) -> list[str]:
    """Warnings: of the ledgers that are named, those that are not there. They may come later."""
    named = [("cline.ledgers", path) for path in cline.ledgers]
    named += [("ledgers.paths", text.partition(":")[2]) for text in ledgers.paths]
    return [f"{key}: {path} is not there" for key, path in named if not os.path.exists(Machine.own().rooted(path))]


def _check_summary_model(catalogue: Catalogue, model: str) -> None:
    try:
        catalogue.resolve(model, None)
    except (ModelNotFoundError, ProviderNotConfiguredError) as error:
        raise ConfigurationError(f"sanitizer.compression.model: {error}") from None


def _check_open(server: Server) -> None:
    if server.client_keys and not all(server.client_keys):
        raise ConfigurationError("server.client_keys: an entry is empty, and would let in everybody")
    if not _is_loopback(server.host) and not server.token:
        raise ConfigurationError(f"server.host: {server.host} is open to others, so server.token must be set")


def _check_provider(provider: Provider, server: Server) -> None:
    if not provider.base_url:
        return
    key = dotted(("providers", provider.key, "base_url"))
    parts = urlsplit(provider.base_url)
    if _is_own(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), server):
        raise ConfigurationError(f"{key}: this is the proxy's own address")
    authorized = provider.api_key or "authorization" in {name.lower() for name in provider.headers}
    if parts.username is not None and authorized:
        raise ConfigurationError(f"{key}: a user in the address and a key cannot both be sent as Authorization")


def _is_own(url_host: str, port: int, server: Server) -> bool:
    if port != server.port:  # port 0 is chosen later, among those that are free
        return False
    host, own = _plain(url_host), _plain(server.host)
    local = _is_loopback(host) or _is_wildcard(host)  # connecting to a wildcard address reaches this machine
    if _is_wildcard(own):
        return local or host == socket.gethostname().lower() or _is_machines(host)
    return host == own or (local and _is_loopback(own))


def _plain(host: str) -> str:
    """A host in one spelling: `127.1`, `0x7f000001`, `::ffff:127.0.0.1` and `LOCALHOST.` are connected to as well."""
    name = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except (OSError, UnicodeError):
            return name
    return str((address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address)


def _is_loopback(host: str) -> bool:
    name = _plain(host)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(_plain(host)).is_unspecified
    except ValueError:
        return False


def _is_machines(host: str) -> bool:
    """Whether the IP address is one of this machine's: only those can be bound. Nothing is sent."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except (ValueError, OSError):
        return False
    return True
