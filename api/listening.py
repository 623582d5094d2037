"""The socket that the server listens on, and its address."""

import ipaddress
import socket

_BACKLOG = 2_048


class AddressInUseError(Exception):
    """The host and port cannot be bound; the message says why."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises AddressInUseError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = _is_wildcard6(host) and socket.has_dualstack_ipv6()  # IPv4 too, where the system can
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise AddressInUseError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    # Accepted sockets inherit it. asyncio sets it only where the socket names its protocol, and this one does not:
    # the second write of an answer would wait 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a client reaches the socket; a wildcard address is shown as localhost, that of IPv6 alone as ::1."""
    host, port = listener.getsockname()[:2]
    if host == "::" and listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        host = "::1"
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_wildcard6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) == ipaddress.IPv6Address("::")
    except ValueError:
        return False
