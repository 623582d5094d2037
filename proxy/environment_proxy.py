"""Which HTTP proxy the environment asks for: HTTP_PROXY, HTTPS_PROXY, NO_PROXY and the system's settings.

Looked up here, once per origin, and not left to the client library, because that would ask in a thread at every
request and would also send credentials out of ~/.netrc to upstreams.
"""

from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """`scheme://host:port` of `url`, without userinfo, path and query. Raises ValueError where there is none."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host in the address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port is not None else "")


def proxy_for(url: str) -> str | None:
    """The proxy's URL, with its userinfo, through which the environment wants `url` to be called; None: directly."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or _bypassed(parts):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def fault_of(proxy: str) -> str | None:
    """Why this cannot be the address of an HTTP proxy, None where it can. The address is not repeated: it may hold a
    password."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is not a valid address"
    if parts.scheme not in _PORTS:
        return "it is not the address of an HTTP proxy: it must begin with http:// or https://"
    return None if host else "it names no host"


def _bypassed(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return bool(proxy_bypass(host)) or bool(proxy_bypass(f"{host}:{port}"))
