"""Where the server listens."""

import socket

import pytest

from api.listening import bind, url_of

needs_ipv6 = pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")


def reached(listener: socket.socket, host: str) -> bool:
    try:
        socket.create_connection((host, listener.getsockname()[1]), timeout=5).close()
    except OSError:
        return False
    return True


@needs_ipv6
@pytest.mark.parametrize("host", ["::", "0::0"])
def test_the_wildcard_of_ipv6_is_that_of_ipv4_too(host: str) -> None:
    with bind(host, 0) as listener:
        assert reached(listener, "127.0.0.1") and reached(listener, "::1")
        assert url_of(listener).startswith("http://localhost:")


@needs_ipv6
def test_where_the_system_cannot_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with bind("::", 0) as listener:
        assert not reached(listener, "127.0.0.1")
        assert url_of(listener).startswith("http://[::1]:")


@needs_ipv6
def test_an_address_of_ipv6_is_itself_alone() -> None:
    with bind("::1", 0) as listener:
        assert reached(listener, "::1") and not reached(listener, "127.0.0.1")
        assert url_of(listener).startswith("http://[::1]:")
