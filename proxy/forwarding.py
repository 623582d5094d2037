"""The body that goes upstream: the very one that came in, but for what a provider needs to be different."""

import msgspec

from proxy.envelope import join, split
from proxy.providers import Route
from proxy.running import Incoming
from proxy.wire import ChatRequest, decode_chat, with_include_usage, with_model


class Forward(msgspec.Struct, frozen=True):
    """`injected` when include_usage was added and its frame must not be shown."""

    body: bytes
    injected: bool = False


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


def forward_anew(incoming: Incoming, sent: bytes, route: Route) -> Anew:
    """What was `sent`, reduced or not, as it goes to another provider. Raises EnvelopeError."""
    plain = forward(incoming.body, incoming.request, route)
    envelope = split(plain.body, incoming.request.messages)
    if sent is incoming.sent_body:  # nothing was reduced
        return Anew(plain.body, envelope, plain.injected)
    return Anew(join(envelope, decode_chat(sent).messages), envelope, plain.injected)
