"""Which addresses are called."""

import ipaddress
from collections.abc import Sequence

import pytest

from gateway.addresses import ForbiddenAddressError, check, pinned, same_origin

NEVER = (
    "169.254.169.254", "169.254.1.1", "fe80::1", "::ffff:169.254.169.254", "100.100.100.200", "fd00:ec2::254",
    "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
)  # fmt: skip
PRIVATE = ("127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "::1", "fd12::1", "100.64.0.1", "::ffff:127.0.0.1")


@pytest.mark.parametrize("address", NEVER)
def test_never(address: str) -> None:
    for private in (False, True):
        with pytest.raises(ForbiddenAddressError):
            check(ipaddress.ip_address(address), private=private)


@pytest.mark.parametrize("address", PRIVATE)
def test_only_where_it_is_allowed(address: str) -> None:
    check(ipaddress.ip_address(address), private=True)
    with pytest.raises(ForbiddenAddressError, match="private = true"):
        check(ipaddress.ip_address(address), private=False)


def names(*addresses: str) -> "Resolving":
    return Resolving(addresses)


class Resolving:
    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = addresses

    async def __call__(self, name: str, port: int) -> Sequence[str]:
        return self.addresses


async def test_what_was_checked_is_what_is_called() -> None:
    found = await pinned("https://user:pw@mcp.example.com:8443/a?b=1", names("93.184.216.34"), private=False)
    assert (found.url, found.host, found.name) == (
        "https://93.184.216.34:8443/a?b=1", "mcp.example.com:8443", "mcp.example.com",
    )  # fmt: skip
    found = await pinned("http://mcp.example.com", names("2606:2800:220:1::1"), private=False)
    assert found.url == "http://[2606:2800:220:1::1]/"


async def test_one_bad_address_of_several_is_enough() -> None:
    with pytest.raises(ForbiddenAddressError):
        await pinned("https://mcp.example.com", names("93.184.216.34", "127.0.0.1"), private=False)
    with pytest.raises(OSError, match="no address"):
        await pinned("https://mcp.example.com", names(), private=False)
    for url in ("ftp://a", "file:///etc/passwd", "https://"):
        with pytest.raises(ForbiddenAddressError):
            await pinned(url, names("93.184.216.34"), private=True)


def test_origins() -> None:
    assert same_origin("https://a/x", "https://a:443/y")
    assert not same_origin("https://a", "http://a")
    assert not same_origin("https://a", "https://a.evil.example")
    assert not same_origin("http://a:80", "http://a:81")
