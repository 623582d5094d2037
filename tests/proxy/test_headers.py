"""Which headers go up, which come down, and that nothing a server would choke on gets through."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.headers import client_headers, credential, upstream_headers

_DROPPED_UP = [
    "Host",
    "Content-Length",
    "Content-Encoding",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Accept-Encoding",
    "Cookie",
    "Expect",
    "Authorization",
    "Api-Key",
    "X-Api-Key",
    "X-Goog-Api-Key",
    "Proxy-Authorization",
    "Proxy-Whatever",
]
_KEPT_UP = ["user-agent", "accept", "content-type", "openai-beta", "x-session-id", "x-stainless-lang", "traceparent"]


def up(*client: tuple[str, str], api_key: str | None = None, **extra: str) -> list[tuple[str, str]]:
    return upstream_headers(
        [(name.encode(), value.encode()) for name, value in client],
        api_key=api_key,
        extra={name.replace("_", "-"): value for name, value in extra.items()},
    )


@pytest.mark.parametrize("name", _DROPPED_UP)
def test_drops_on_the_way_up(name: str) -> None:
    assert up((name, "v"), (name.lower(), "v")) == [("accept-encoding", "identity")]


def test_keeps_the_rest_in_order_repeats_too() -> None:
    sent = [(name, f"v{index}") for index, name in enumerate((*_KEPT_UP, "accept"))]
    assert up(*sent) == [*sent, ("accept-encoding", "identity")]


def test_drops_what_the_connection_header_names() -> None:
    assert up(("connection", "close, X-Own"), ("x-own", "1"), ("x-other", "2"))[0] == ("x-other", "2")


def test_the_provider_key_replaces_the_clients() -> None:
    assert dict(up(("authorization", "Bearer client"), api_key="sk\n"))["authorization"] == "Bearer sk"
    assert "authorization" not in dict(up(("authorization", "Bearer client"), api_key=""))


def test_configured_headers_win() -> None:
    headers = up(("x-title", "client"), api_key="sk", X_Title="own", Authorization="Basic x", Content_Length="3")
    assert headers == [("accept-encoding", "identity"), ("X-Title", "own"), ("Authorization", "Basic x")]


def test_bytes_beyond_ascii_reach_the_upstream_as_they_were() -> None:
    headers = upstream_headers([(b"x-a", "é".encode()), (b"x-b", b"\xe9")], api_key=None, extra={})
    assert headers[:2] == [("x-a", "é"), ("x-b", "é")]


def test_invalid_client_headers_are_left_out() -> None:
    headers = upstream_headers([(b"x a", b"1"), (b"x-b", b"1\r\nx-c: 2")], api_key=None, extra={})
    assert headers == [("accept-encoding", "identity")]


def test_down_keeps_all_but_connection_server_date_cookies_and_cors() -> None:
    kept = [("content-type", "a/b"), ("retry-after", "3"), ("x-ratelimit-x", "1"), ("openai-y", "2")]
    dropped = [
        *(("Server", "s"), ("Date", "d"), ("Set-Cookie", "c"), ("Connection", "x-own"), ("X-Own", "1")),
        *(("Keep-Alive", "5"), ("Trailer", "x"), ("Proxy-Authenticate", "p")),
        *(("Access-Control-Allow-Origin", "*"), ("access-control-allow-credentials", "true")),
    ]
    assert client_headers([*dropped, *kept], ()) == [(name.encode(), value.encode()) for name, value in kept]


def test_the_length_stays_only_with_the_body_it_measures() -> None:
    length = ("Content-Length", "9")
    assert client_headers([length], ()) == [(b"content-length", b"9")]
    assert client_headers([length], (), changed=True) == []
    assert client_headers([length, ("Transfer-Encoding", "chunked")], ()) == []


def test_added_headers_replace_the_upstreams() -> None:
    headers = client_headers(
        [("X-Request-Id", "theirs"), ("X-Session-Id", "7"), ("X-Upstream-Request-Id", "old")],
        [(b"x-request-id", b"ours"), (b"x-session-id", b"1")],
    )
    assert headers == [(b"x-upstream-request-id", b"theirs"), (b"x-request-id", b"ours"), (b"x-session-id", b"1")]


_ANY = st.text(st.characters(max_codepoint=300), max_size=6)
_NAME = st.sampled_from(["x-a", "content-type", "", "x a", "x:", "é"]) | _ANY


@given(st.lists(st.tuples(_NAME, _ANY), max_size=6))
def test_whatever_comes_the_server_accepts_it(upstream: list[tuple[str, str]]) -> None:
    h11.Response(status_code=200, headers=client_headers(upstream, (), changed=True))


@pytest.mark.parametrize("size", [10, 300])
def test_a_header_that_was_seen_before_is_the_same_again(size: int) -> None:
    value = "v" * size
    first, second = (up(("x-a", value), ("cookie", value), ("x-b", "\n" + value)) for _ in range(2))
    assert first == second == [("x-a", value), ("accept-encoding", "identity")]
    came = [("X-A", value), ("Server", value), ("x-b", "a\n" + value)]
    assert client_headers(came, ()) == client_headers(came, ()) == [(b"x-a", value.encode())]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"authorization", b"Bearer  t")], "t"),
        ([(b"Authorization", b"bearer t")], "t"),
        ([(b"authorization", b"Basic dTpw")], "Basic dTpw"),
        ([(b"authorization", b"Bearer "), (b"x-api-key", b"k")], "k"),
        ([(b"x-goog-api-key", b"g"), (b"x-api-key", b"x"), (b"api-key", b"a")], "a"),
        ([(b"x-goog-api-key", b"g"), (b"x-api-key", b"x")], "x"),
        ([(b"cookie", b"c"), (b"proxy-authorization", b"Bearer p")], "p"),
        ([(b"x-title", b"t")], None),
    ],
)
def test_credential(headers: list[tuple[bytes, bytes]], expected: str | None) -> None:
    assert credential(headers) == expected
