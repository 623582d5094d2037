"""The request body on the wire: a typed, partial decode that looks at what the proxy needs, and edits byte by byte.

Decoders that find a key twice take the last; the edits leave no room for another reading.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from context.json_depth import within_depth
from context.surrogates import as_received, decode_mended, mended
from proxy.envelope import around, split
from proxy.facts import MAX_DEPTH, RequestFacts
from proxy.json_members import DuplicateKeysError, Member, members, replaced, with_member

T = TypeVar("T")

_ABSENT = msgspec.Raw(b"")
_TOO_DEEP = f"The request body is nested more than {MAX_DEPTH} levels deep."
_INCLUDE_USAGE = b'"include_usage":true'


class WireError(Exception):
    """The body is not a chat completion request: 400 invalid_request_error. `param` names the field at fault."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the proxy reads of a request. A Raw is the text of a value, a view that keeps the whole body alive;
    `envelope` is all of the body outside its messages (envelope.py).

    `include_usage` is None where stream_options does not have the key, or null; `stream_options` and `tools` are None
    where the body does not. `metadata`, `prompt_cache_key` and `previous_response_id` are None too where they cannot be
    used.
    """

    model: str | None
    stream: bool
    messages: list[msgspec.Raw]
    envelope: bytes
    include_usage: bool | None = None
    stream_options: msgspec.Raw | None = None
    tools: msgspec.Raw | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None


class Place(msgspec.Struct, frozen=True, eq=False):
    """Where messages stand in a body, from `start` to `end`, with the same separator between each two; `line` is the
    first of the envelope."""

    line: bytes
    separator: bytes
    start: int
    end: int
    messages: list[msgspec.Raw]


class _Body(msgspec.Struct):
    messages: list[msgspec.Raw] = msgspec.field(default_factory=list)
    model: msgspec.Raw = _ABSENT
    stream: msgspec.Raw = _ABSENT
    stream_options: msgspec.Raw = _ABSENT
    tools: msgspec.Raw = _ABSENT
    metadata: msgspec.Raw = _ABSENT
    prompt_cache_key: msgspec.Raw = _ABSENT
    previous_response_id: msgspec.Raw = _ABSENT


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_text = msgspec.json.Decoder(str).decode


def decode_chat(body: bytes) -> ChatRequest:
    """Check `body` as far as the contract (3.3.1, 2) asks and no further, but for the insides of its messages: those
    are looked at once for each distinct message (facts.py, `check_messages`). Raises WireError."""
    text, decoded = _well_formed(body)
    if not decoded.messages:
        raise WireError("'messages' must be a non-empty array.", "messages")
    messages = decoded.messages if text is body else as_received(body, text, decoded.messages)
    return _checked(decoded, messages, split(body, messages))


def decode_behind(body: bytes, mark: bytes, place: Place) -> ChatRequest | None:
    """The same for a body that begins as the one that `place` is of, up to there. `mark` is a JSON text that is not in
    it. None where the body must be decoded as a whole. Raises WireError."""
    text = b"%b%b%b" % (body[: place.start], mark, body[place.end :])
    try:
        if not text.isascii():
            text.decode()
        decoded = _decode_body(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not decoded.messages or bytes(decoded.messages[0]) != mark:
        return None
    rest = [raw.copy() for raw in decoded.messages[1:]]  # a view would keep the text alive
    joined = place.separator.join((b"", *rest))
    if not body.startswith(joined, place.end):
        return None
    envelope = b"%b\n%b%b" % (place.line, body[: place.start], body[place.end + len(joined) :])
    return _checked(decoded, place.messages + rest, envelope)


def _checked(decoded: _Body, messages: list[msgspec.Raw], envelope: bytes) -> ChatRequest:
    """Raises WireError."""
    if not within_depth(around(envelope).strip(), MAX_DEPTH):
        raise WireError(_TOO_DEEP, code="malformed_json")
    options = _present(decoded.stream_options)
    return ChatRequest(
        model=_model(decoded.model),
        stream=decoded.stream is not _ABSENT and _stream(decoded.stream),
        messages=messages,
        envelope=envelope,
        include_usage=_include_usage(options) if options is not None else None,
        stream_options=options,
        tools=_present(decoded.tools),
        metadata=_value(decoded.metadata, _decode_object),
        prompt_cache_key=_value(decoded.prompt_cache_key, _decode_text),
        previous_response_id=_value(decoded.previous_response_id, _decode_text),
    )


def check_messages(facts: RequestFacts) -> None:
    """Each message must be an object with a string role, and the body as a whole nested at most MAX_DEPTH deep.
    Raises WireError for the first one that is not."""
    if facts.fault is None:
        return
    index, fault = facts.fault
    if fault == "too_deep":
        raise WireError(_TOO_DEEP, code="malformed_json")
    param = f"messages[{index}]" if fault == "no_object" else f"messages[{index}].role"
    raise WireError("Each message must be an object with a string 'role'.", param)


def with_model(body: bytes, model: str, find: Callable[[bytes], list[Member]] = members) -> bytes:
    """`body` with `model` as its top-level model, wherever it stood; everything else keeps its bytes. `find` gives at
    least the members of that name."""
    value = msgspec.json.encode(model)
    try:
        found = [member for member in decode_mended(find, body) if member.key == "model"]
    except DuplicateKeysError:
        return msgspec.json.encode(decode_mended(_decode_members, body) | {"model": msgspec.Raw(value)})
    if not found:
        return with_member(body, b'"model":' + value)
    return replaced(body, found, value)


def with_include_usage(body: bytes, request: ChatRequest, find: Callable[[bytes], list[Member]] = members) -> bytes:
    """`body` with stream_options.include_usage set to true where it is absent or null, else `body` itself.

    `body` is what `request` was decoded from, or that with another model.
    """
    if request.include_usage is not None:
        return body
    if request.stream_options is None:
        return with_member(body, b'"stream_options":{' + _INCLUDE_USAGE + b"}")
    options = bytes(request.stream_options)
    if not options.startswith(b"{") and options != b"null":
        return body
    try:
        last = [member for member in decode_mended(find, body) if member.key == "stream_options"][-1]
        asked = b"{" + _INCLUDE_USAGE + b"}" if options == b"null" else _asking(body[last.start : last.end])
    except DuplicateKeysError:
        return body
    return replaced(body, [last], asked)


def _asking(options: bytes) -> bytes:
    """The object `options` with include_usage true, which is absent there or null. Raises DuplicateKeysError."""
    nulls = [member for member in decode_mended(members, options) if member.key == "include_usage"]
    return replaced(options, nulls, b"true") if nulls else with_member(options, _INCLUDE_USAGE)


def _well_formed(body: bytes) -> tuple[bytes, _Body]:
    """What was decoded, and from which text: `body` or that with its unpaired surrogates mended."""
    try:
        if not body.isascii():
            body.decode()
        return body, _decode_body(body)
    except UnicodeDecodeError:
        raise WireError("The request body is not valid UTF-8.", code="malformed_json") from None
    except msgspec.ValidationError as error:
        if "$.messages" in str(error):
            raise WireError("'messages' must be an array.", "messages") from None
        raise WireError("The request body must be a JSON object.", code="body_not_object") from None
    except msgspec.DecodeError as error:
        fixed = mended(body)
        if fixed is not body:
            return fixed, _well_formed(fixed)[1]
        raise WireError(f"The request body is not valid JSON: {error}", code="malformed_json") from None
    except RecursionError:
        raise WireError(_TOO_DEEP, code="malformed_json") from None


def _model(raw: msgspec.Raw) -> str | None:
    model = _value(raw, _decode_text)
    if model is None and bytes(raw) not in (b"", b"null"):
        raise WireError("'model' must be a string.", "model")
    return model


def _stream(raw: msgspec.Raw) -> bool:
    text = bytes(raw)
    if text not in (b"", b"null", b"true", b"false"):
        raise WireError("'stream' must be true or false.", "stream")
    return text == b"true"


def _include_usage(stream_options: msgspec.Raw) -> bool | None:
    options = _value(stream_options, _decode_members)
    value = options.get("include_usage") if options is not None else None
    return None if value is None or bytes(value) == b"null" else bytes(value) == b"true"


def _present(raw: msgspec.Raw) -> msgspec.Raw | None:
    return None if raw is _ABSENT else raw


def _value(raw: msgspec.Raw, decode: Callable[[msgspec.Raw], T]) -> T | None:
    """The value where it is of the type that `decode` gives; anything else is as good as absent."""
    if raw is _ABSENT:
        return None
    try:
        return decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
