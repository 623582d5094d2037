"""The body that goes upstream: the very one that came in, but for what a provider needs to be different."""

from collections.abc import Callable
from functools import partial

import msgspec

from proxy.envelope import join, split
from proxy.json_members import members_named
from proxy.providers import Route
from proxy.running import Incoming
from proxy.wire import ChatRequest, decode_chat, with_include_usage, with_model


class Forward(msgspec.Struct, frozen=True):
    """`injected` when include_usage was added and its frame must not be shown; `envelope` is all of a long body outside
    its messages."""

    body: bytes
    injected: bool = False
    envelope: bytes | None = None


class Anew(msgspec.Struct, frozen=True):
    """A body made for another provider; `envelope` is all of it outside its messages."""

    body: bytes
    envelope: bytes
    injected: bool


def forward(body: bytes, request: ChatRequest, route: Route) -> Forward:
    """Untouched, unless the model has another name there or usage must be asked for."""
    sent = body if request.model == route.upstream_model else with_model(body, route.upstream_model)
    if not (request.stream and route.provider.include_usage and request.include_usage is None):
        return Forward(sent)
    asked = with_include_usage(sent, request)
    return Forward(asked, asked is not sent)


def forward_long(body: bytes, request: ChatRequest, route: Route, text_ref: Callable[[bytes], bytes]) -> Forward:
    """The same of a long body, for a thread: with its envelope, whose hash `text_ref` remembers."""
    sent, injected = body, False
    if request.model != route.upstream_model:
        sent = with_model(body, route.upstream_model, find=partial(members_named, name="model"))
    if request.stream and route.provider.include_usage and request.include_usage is None:
        plain = sent
        sent = with_include_usage(plain, request, find=partial(members_named, name="stream_options"))
        injected = sent is not plain
    envelope = request.envelope if sent is body else split(sent, request.messages)
    for each in {request.envelope, envelope}:
        text_ref(each)
    return Forward(sent, injected, envelope)


def forward_anew(incoming: Incoming, sent: bytes, route: Route) -> Anew:
    """What was `sent`, reduced or not, as it goes to another provider. Raises EnvelopeError."""
    plain = forward(incoming.body, incoming.request, route)
    envelope = split(plain.body, incoming.request.messages)
    if sent is incoming.sent_body:  # nothing was reduced
        return Anew(plain.body, envelope, plain.injected)
    return Anew(join(envelope, decode_chat(sent).messages), envelope, plain.injected)
