"""Who may come in: checks on method, path and headers alone, before anything is read or done (contract 1.6).

Order: Host, then Origin (both 403), then the token (401). Pure: the same request gets the same verdict.
"""

import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from proxy.headers import credential

Headers = Sequence[tuple[bytes, bytes]]
Area = Literal["open", "openai", "api"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_WILDCARDS = ("", "0.0.0.0", "::", "*")
_SAFE = ("GET", "HEAD")
_OPENAI = ("/chat/completions", "/models", "/v1")
_PROTECTED = ("/api", "/mcp", "/ws", "/metrics", "/openapi.json")
_RPC = ("/api/mcp-gateway", "/mcp")
_MAX_REQUEST_ID = 128
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]\s,]+)(?::\d{0,5})?")  # in lower case


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the configuration's section [server]. `allowed_*` entries may end in `*`."""

    host: str = "127.0.0.1"
    token: str = ""
    client_keys: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    def __repr__(self) -> str:  # the token and the keys must not come into a log
        return f"GateSettings(host={self.host!r})"


class Denial(msgspec.Struct, frozen=True):
    """A request that is not let in: `status` is 403 or 401."""

    status: int
    code: str
    message: str


class Gate:
    """The checks with the settings they need."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        bound = () if settings.host in _WILDCARDS else (_bracketed(settings.host),)
        self._names = frozenset(name.lower() for name in (*_LOOPBACK, *bound))
        self._hosts = tuple(entry.lower() for entry in settings.allowed_hosts)
        self._wildcard = settings.host in _WILDCARDS
        self._token = settings.token.encode()
        self._keys = tuple(key.encode() for key in settings.client_keys)

    def denial(self, method: str, path: str, headers: Headers, local: str | None = None) -> Denial | None:
        """Why the request is refused, None where it may come in. `local` is the address that it arrived at."""
        foreign = self._wrong_host(headers, local) or self._foreign_origin(method, headers)
        if foreign is not None or is_preflight(method, headers):  # browsers send no credentials with a preflight
            return foreign
        return self._no_token(path, headers)

    def allowed_origin(self, headers: Headers) -> str | None:
        """The request's Origin where the configuration names it: it gets CORS headers."""
        origin = value_of(headers, b"origin")
        return origin if origin is not None and _listed(origin, self._settings.allowed_origins) else None

    def authorized(self, headers: Headers) -> bool:
        """Whether the caller may see what the management API shows."""
        return not self._token or _equal(_bearer(headers), (self._token,))

    def _wrong_host(self, headers: Headers, local: str | None) -> Denial | None:
        hosts = [value for name, value in headers if name == b"host"]
        host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        name = host_name(host)
        if not name:
            return Denial(403, "host_not_allowed", f'The Host "{_quotable(host)}" is not one valid name.')
        if name in self._names or (self._wildcard and local is not None and name == _bracketed(local)):
            return None
        if _listed(name, self._hosts) or _listed(host, self._hosts):
            return None
        add = f' Add to [server] of the configuration: allowed_hosts = ["{_quotable(name)}"]'
        return Denial(403, "host_not_allowed", f'The Host "{_quotable(host)}" is not served here.{add}')

    def _foreign_origin(self, method: str, headers: Headers) -> Denial | None:
        """Reads are left alone: without CORS headers no page can see their answers."""
        if len([name for name, _ in headers if name == b"origin"]) > 1:
            return Denial(403, "origin_not_allowed", "A request has one Origin at most.")
        if method in _SAFE or self.allowed_origin(headers) is not None:
            return None
        origin = value_of(headers, b"origin")
        if origin is None:
            if value_of(headers, b"sec-fetch-site") != "cross-site":
                return None
            return Denial(403, "origin_not_allowed", "Requests of other sites are not accepted.")
        host = (value_of(headers, b"host") or "").lower()
        if origin.lower() in (f"http://{host}", f"https://{host}"):
            return None
        add = f' Add to [server] of the configuration: allowed_origins = ["{_quotable(origin)}"]'
        return Denial(403, "origin_not_allowed", f'The Origin "{_quotable(origin)}" is not allowed.{add}')

    def _no_token(self, path: str, headers: Headers) -> Denial | None:
        area = area_of(path)
        if area == "openai" and (self._token or self._keys):
            accepted = (*self._keys, self._token) if self._token else self._keys
            if _equal(credential(headers) or "", accepted):
                return None
            return Denial(401, "invalid_api_key", "Send the proxy's token or one of its client keys as the API key.")
        if area == "api" and not self.authorized(headers):
            if value_of(headers, b"authorization") is None:
                return Denial(401, "auth_required", "Send Authorization: Bearer with the server's token.")
            return Denial(401, "invalid_token", "The token is not the server's.")
        return None


def area_of(path: str) -> Area:
    """Which rules of access and which shape of errors hold for `path`."""
    if _under(path, _OPENAI):
        return "openai"
    return "api" if _under(path, _PROTECTED) else "open"


def speaks_rpc(path: str) -> bool:
    """Whether `path` is one of the gateway, whose errors are JSON-RPC."""
    return _under(path, _RPC)


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks what it may send from another origin."""
    return method == "OPTIONS" and value_of(headers, b"access-control-request-method") is not None


def request_id_of(headers: Headers) -> str | None:
    """The client's X-Request-Id where it is 1-128 visible ASCII characters."""
    value = value_of(headers, b"x-request-id")
    visible = value is not None and 0 < len(value) <= _MAX_REQUEST_ID and all("!" <= char <= "~" for char in value)
    return value if visible else None


def value_of(headers: Headers, name: bytes) -> str | None:
    """The first value of a header, by its lower-case name; each byte one character."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None


def host_name(host: str) -> str:
    """A Host header, in lower case, without its port; an IPv6 address keeps its brackets. Empty where it is no name."""
    found = _HOST.fullmatch(host)
    return found[1] if found is not None else ""


def _bracketed(address: str) -> str:
    plain = address.removeprefix("::ffff:") if "." in address else address
    return f"[{plain}]" if ":" in plain and not plain.startswith("[") else plain


def _listed(value: str, entries: Iterable[str]) -> bool:
    return any(value.startswith(entry[:-1]) if entry.endswith("*") else value == entry for entry in entries)


def _under(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def _bearer(headers: Headers) -> str:
    scheme, _, value = (value_of(headers, b"authorization") or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _equal(given: str, accepted: Iterable[bytes]) -> bool:
    """In constant time for each, and without stopping at the first."""
    data = given.encode("latin-1", "replace")
    return any([hmac.compare_digest(data, key) for key in accepted])


def _quotable(text: str) -> str:
    """A header's value as it may stand in an answer and inside quotes."""
    return "".join(char for char in text[:200] if " " <= char <= "~" and char not in '"\\')
