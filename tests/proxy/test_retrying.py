"""What a provider says of when to come back, and bodies for another provider."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.tokens import TextCounter
from proxy.caller import Caller
from proxy.envelope import join, split
from proxy.facts import FactsCache
from proxy.forwarding import forward, forward_anew
from proxy.providers import Catalogue, Model, Provider, ProviderNotConfiguredError, Retry, Route
from proxy.retrying import retry_after
from proxy.running import Incoming
from proxy.wire import decode_chat

NOW = 1_700_000_000.0
COUNT: TextCounter = len


@pytest.mark.parametrize(
    ("heads", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 GMT"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "٣"}, None),
    ],
)
def test_when_to_come_back(heads: dict[str, str], seconds: float | None) -> None:
    assert retry_after(heads, NOW) == seconds


def test_pauses_double_up_to_a_bound() -> None:
    assert list(Retry(attempts=5, backoff_s=1, max_wait_s=3).pauses()) == [0, 1, 2, 3, 3]
    assert list(Retry(attempts=1).pauses()) == [0]


def route(model: str, *, include_usage: bool = True) -> Route:
    provider = Provider(key="p", type="openai", include_usage=include_usage)
    return Route(provider=provider, upstream_model=model, model_key=model, max_context=1_000)


def incoming(body: bytes, to: Route) -> Incoming:
    request = decode_chat(body)
    return Incoming(
        body=body,
        request=request,
        facts=FactsCache(1, COUNT, str).of_long_request(request.messages),
        caller=Caller((), None),
        request_id="r",
        arrived=0.0,
        sent_body=forward(body, request, to).body,
        provider="p",
        model_key="m",
        model_sent=to.upstream_model,
    )


def body_of(texts: list[str], *, stream: bool, separator: str = ",") -> bytes:
    messages = separator.join(json.dumps({"role": "user", "content": text}) for text in texts)
    return f'{{"model": "asked", "messages": [{messages}], "stream": {str(stream).lower()}, "x": 1}}'.encode()


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4), st.booleans(), st.booleans(), st.booleans())
def test_a_body_for_another_provider_differs_in_what_is_that_providers(
    texts: list[str], stream: bool, usage_here: bool, usage_there: bool
) -> None:
    here, there = route("here", include_usage=usage_here), route("there", include_usage=usage_there)
    request = incoming(body_of(texts, stream=stream), here)
    anew = forward_anew(request, request.sent_body, there)
    straight = forward(request.body, request.request, there)
    assert (anew.body, anew.injected) == (straight.body, straight.injected)
    assert join(anew.envelope, request.request.messages) == anew.body


def test_what_was_reduced_stays_reduced() -> None:
    request = incoming(body_of(["long " * 50, "b"], stream=False), route("here"))
    shorter = [b'{"role":"user","content":"short"}', bytes(request.request.messages[1])]
    sent = join(split(request.sent_body, request.request.messages), shorter)
    anew = forward_anew(request, sent, route("there"))
    assert json.loads(anew.body) == {
        "model": "there",
        "messages": [{"role": "user", "content": "short"}, {"role": "user", "content": "b"}],
        "stream": False,
        "x": 1,
    }
    assert join(anew.envelope, shorter) == anew.body


def test_fallbacks_are_where_the_configuration_says() -> None:
    local = Provider(key="local", type="openai", base_url="http://127.0.0.1:1/v1")
    keyless = Provider(key="vendor", type="openai")
    models = [
        Model(key="a", provider="local", model="a", fallback=("b", "vendor/x", "c")),
        Model(key="b", provider="local", model="b", fallback=("a",)),
        Model(key="c", provider="local", model="c"),
    ]
    catalogue = Catalogue([local, keyless], models, None)
    assert [each.model_key for each in catalogue.resolve("a", None).fallbacks] == ["b", "c"]
    assert [each.model_key for each in catalogue.resolve("b", None).fallbacks] == ["a"]
    assert catalogue.resolve("c", None).fallbacks == ()
    with pytest.raises(ProviderNotConfiguredError):
        catalogue.resolve("vendor/x", None)
    assert msgspec.json.encode(catalogue.models()[0].fallback) == b'["b","vendor/x","c"]'
