"""What can go wrong with an upstream, in words that may be shown: no key, no userinfo, no query."""

import asyncio
import os
import socket
import ssl
from typing import Literal

import aiohttp

from proxy.environment_tls import missing_authorities

UpstreamErrorCode = Literal["upstream_unreachable", "upstream_timeout", "upstream_invalid"]

SWITCHED = "it switched to another protocol, which nobody had asked for"  # 101
PROXY_ANSWERED = "the configured HTTP proxy answered"  # and the status


class UpstreamError(Exception):
    """The upstream gave no answer, or broke it off.

    `code`: unreachable (no connection, or it was closed before an answer), timeout (connecting, or silence between
    bytes) or invalid (not HTTP, or an answer that ends early). `message` holds no secret. `attempts` counts the
    connections on which the request was tried, from 1; `lost_s` are the seconds that the first of two took.
    """

    lost_s = 0.0

    def __init__(self, code: UpstreamErrorCode, message: str, attempts: int = 1) -> None:
        super().__init__(message)
        self.code: UpstreamErrorCode = code
        self.message = message
        self.attempts = attempts


def explained(error: Exception, origin: str, attempts: int) -> UpstreamError:
    """`error` of the client library, met while calling `origin` (scheme, host and port)."""
    code, text = _code_and_text(error)
    return UpstreamError(code, f"{origin}: {text}", attempts)


def broken_off(error: Exception, origin: str, attempts: int) -> UpstreamError:
    """`error` of the client library, met after the answer had begun."""
    if isinstance(error, asyncio.TimeoutError):
        return explained(error, origin, attempts)
    return UpstreamError("upstream_invalid", f"{origin}: the answer broke off before its end", attempts)


def connecting_failed(error: Exception, origin: str, attempts: int) -> UpstreamError:
    """`error` met while a connection to `origin` was made."""
    code, text = _connecting(error)
    return UpstreamError(code, f"{origin}: {text}", attempts)


def _connecting(error: Exception) -> tuple[UpstreamErrorCode, str]:
    match error:
        case TimeoutError():
            return "upstream_timeout", "no connection within the connect timeout"
        case socket.gaierror() | UnicodeError():
            return "upstream_unreachable", "the host name cannot be resolved"
        case ssl.SSLError():
            return "upstream_unreachable", f"TLS failed: {_tls_reason(error)}"
        case OSError():
            return "upstream_unreachable", f"connection failed: {_os_reason(error)}"
        case _:
            return "upstream_unreachable", "connection failed"


def _code_and_text(error: Exception) -> tuple[UpstreamErrorCode, str]:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return "upstream_timeout", "no connection within the connect timeout"
        case asyncio.TimeoutError():
            return "upstream_timeout", "no byte within the read timeout"
        case aiohttp.ClientConnectorDNSError():
            return "upstream_unreachable", "the host name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return "upstream_unreachable", f"TLS failed: {_tls_reason(error)}"
        case aiohttp.ClientProxyConnectionError():
            return "upstream_unreachable", f"the configured HTTP proxy cannot be reached: {_os_reason(error)}"
        case aiohttp.ClientHttpProxyError():
            return "upstream_unreachable", f"{PROXY_ANSWERED} {error.status}"
        case aiohttp.ServerDisconnectedError():
            return "upstream_unreachable", "closed the connection without an answer"
        case OSError():
            return "upstream_unreachable", f"connection failed: {_os_reason(error)}"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "upstream_invalid", "the answer is not valid HTTP"
        case aiohttp.InvalidURL():
            return "upstream_invalid", "the address is not a valid URL"
        case ValueError():
            return "upstream_invalid", "a request header cannot be sent"
        case _:
            return "upstream_unreachable", "connection failed"


def _os_reason(error: OSError) -> str:
    """The system's words for the error number; the library's own text repeats the address."""
    number = error.errno or 0
    return os.strerror(number).lower() if number > 0 else type(error).__name__


def _tls_reason(error: Exception) -> str:
    cause: object = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        missing = missing_authorities(os.environ)
        why = f"; {missing} names what cannot be read" if missing is not None else ""
        return f"the certificate is not accepted ({cause.verify_message}{why})"
    if isinstance(cause, ssl.SSLError):
        return str(cause.reason or "handshake failed").replace("_", " ").lower()
    return "handshake failed"
