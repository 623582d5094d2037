"""Where a server outside may be reached: http and https only, never an address that the configuration did not mean.

A name is looked up, each address that it has is checked, and the checked one is the one that is called: a name that
says something else a moment later leads nowhere.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import SplitResult, urlsplit, urlunsplit

import msgspec

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
_PORTS = {"http": 80, "https": 443}
# services that tell every program on a machine of a cloud its keys, where they are no link-local address
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254", "168.63.129.16")))


class ForbiddenAddressError(ValueError):
    """The address must not be called; the message says why."""


class Pinned(msgspec.Struct, frozen=True):
    """`url` with an address in the place of the name; `host` is the Host header, `name` what the certificate is for."""

    url: str
    host: str
    name: str


async def pinned(url: str, resolve: Resolve, *, private: bool) -> Pinned:
    """`private` allows addresses of private networks and of this machine. Raises ForbiddenAddressError, and OSError
    where the name is not known."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ForbiddenAddressError("only http:// and https:// addresses are called")
    name, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    found = await resolve(name, port)
    if not found:
        raise OSError(f"{name} has no address")
    for each in found:
        check(ipaddress.ip_address(each.partition("%")[0]), private=private)
    return Pinned(_with_host(parts, found[0]), parts.netloc.rpartition("@")[2], name)


def check(address: Address, *, private: bool) -> None:
    """Raises ForbiddenAddressError."""
    plain = _unwrapped(address)
    if plain.is_link_local or plain in _METADATA:
        raise ForbiddenAddressError(f"{plain} is link-local or gives out a machine's keys: it is never called")
    if plain.is_multicast or plain.is_unspecified or (plain.is_reserved and not plain.is_loopback):
        raise ForbiddenAddressError(f"{plain} is no address of a server")
    if not plain.is_global and not private:
        raise ForbiddenAddressError(f"{plain} is private: allow it by private = true")


def same_origin(one: str, other: str) -> bool:
    """Scheme, host and port."""
    return _origin(urlsplit(one)) == _origin(urlsplit(other))


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _unwrapped(address: Address) -> Address:
    """An IPv4 address that is written as one of IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner if inner is not None else address
    return address


def _with_host(parts: SplitResult, address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    netloc = f"{host}:{parts.port}" if parts.port is not None else host
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
