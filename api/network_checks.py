"""What the environment says of the way to providers and cannot be used: named in warnings, never an error."""

import ssl
from collections.abc import Iterator, Mapping

from proxy.environment_proxy import fault_of
from proxy.environment_tls import missing_authorities


def network_faults(environment: Mapping[str, str]) -> list[str]:
    """Warnings, which do not repeat the address of a proxy."""
    return [*_proxies(environment), *_authorities(environment)]


def _proxies(environment: Mapping[str, str]) -> Iterator[str]:
    for name in ("http_proxy", "https_proxy"):
        chosen = name if name in environment else name.upper()  # as Python's own look-up has it
        proxy = environment.get(chosen, "")
        fault = fault_of(proxy) if proxy else None
        if fault is not None:
            yield f"{chosen} of the environment: {fault}, and providers cannot be reached through it"


def _authorities(environment: Mapping[str, str]) -> Iterator[str]:
    missing = missing_authorities(environment)
    if missing is not None:
        yield f"{missing} of the environment: {environment[missing]} cannot be read, so its authorities are not trusted"
    elif file := environment.get("SSL_CERT_FILE"):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        except (OSError, ssl.SSLError):
            yield f"SSL_CERT_FILE of the environment: {file} holds no certificates"
