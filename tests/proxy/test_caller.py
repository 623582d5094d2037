"""What is worked out once for all requests of a client is what each of them would get alone."""

import pytest

from proxy.caller import Caller
from proxy.headers import upstream_headers
from proxy.providers import Provider
from proxy.signals import Signal

HEADERS = [
    (b"host", b"h"),
    (b"user-agent", b"OpenAI/Python 1.0"),
    (b"authorization", b"Bearer k"),
    (b"x-session-id", b"s"),
    (b"x-stainless-retry-count", b"1"),
    (b"content-length", b"20"),
    (b"x-a", b"1"),
]


def provider(**headers: str) -> Provider:
    return Provider(key="p", type="openai", api_key="up", headers=headers)


def test_what_headers_say() -> None:
    caller = Caller(HEADERS, "k")
    assert (caller.credential, caller.family, caller.agent, caller.retry) == ("k", *["openai-python"] * 2, True)
    assert caller.signal == Signal("header:x-session-id", "s")
    empty = Caller((), None)
    assert (empty.credential, empty.family, empty.agent, empty.retry, empty.signal) == (None, None, None, False, None)


def test_headers_for_a_provider_are_made_once() -> None:
    caller, to = Caller(HEADERS, "k"), provider()
    made = caller.upstream(to)
    assert list(made.pairs) == upstream_headers(HEADERS, api_key="up", extra={})
    assert caller.upstream(to) is made
    assert caller.own(to, HEADERS, "ours") == (("X-Request-Id", "ours"),)


@pytest.mark.parametrize(
    ("more", "extra", "own"),
    [
        ([], {}, (("x-request-id", "theirs"),)),
        ([(b"connection", b"close, X-Request-Id")], {}, ()),
        ([], {"X-Request-Id": "configured"}, ()),
    ],
)
def test_the_id_of_a_client_goes_up_as_any_header_would(
    more: list[tuple[bytes, bytes]], extra: dict[str, str], own: tuple[tuple[str, str], ...]
) -> None:
    headers = [*HEADERS, *more, (b"x-request-id", b"theirs")]
    caller, to = Caller(headers, "k"), provider(**extra)
    alone = upstream_headers(headers, api_key="up", extra=extra)
    assert caller.own(to, headers, "theirs") == own
    assert sorted((*caller.upstream(to).pairs, *own)) == sorted(alone)
