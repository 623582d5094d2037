"""The answer as it is recorded: assistant messages out of a JSON answer or a stream, whole or cut short.

Nothing that an upstream sends makes this fail: what cannot be read is left out.
"""

import json
import zlib
from typing import Any

import msgspec

from context.messages import decode_message, text_of
from context.surrogates import as_received, mended
from proxy.assembly import Assembly
from proxy.sse_events import payloads
from proxy.tool_calls import text_or_none
from proxy.usage import usage_of_json

MAX_INFLATED = 32 << 20  # bytes
_PIECE = 64 << 10
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_ABSENT = msgspec.Raw(b"")


class Answer(msgspec.Struct, frozen=True):
    """`message` is the JSON of choice 0's message: the exact bytes of a JSON answer, assembled from a stream; `others`
    those of further choices, in order; `finish_reason` is that of choice 0."""

    message: bytes | None = None
    others: tuple[bytes, ...] = ()
    finish_reason: str | None = None
    model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None


class _Choice(msgspec.Struct):
    index: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT
    finish_reason: msgspec.Raw = _ABSENT


class _Completion(msgspec.Struct):
    choices: msgspec.Raw = _ABSENT
    model: msgspec.Raw = _ABSENT
    id: msgspec.Raw = _ABSENT
    service_tier: msgspec.Raw = _ABSENT


class _OneChoice(msgspec.Struct):
    message: msgspec.Raw = _ABSENT
    finish_reason: str | None = None


class _Whole(msgspec.Struct):
    """A completion as nearly all are."""

    choices: list[_OneChoice]
    model: str | None = None
    id: str | None = None
    service_tier: str | None = None
    usage: dict[str, Any] | None = None


_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_completion = msgspec.json.Decoder(_Completion).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_choice = msgspec.json.Decoder(_Choice).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_any = msgspec.json.Decoder().decode


def answer_from_json(data: bytes) -> Answer:
    """The answer in a chat.completion object; empty where it is none, or is cut short."""
    return read_json(data)[0]


def read_json(data: bytes) -> tuple[Answer, dict[str, Any] | None]:
    """The answer in a chat.completion object, and its usage object; both are told as by `answer_from_json` and
    `usage_of_json`, with one look at the common form."""
    try:
        whole = _decode_whole(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return answer_from_odd_json(data), usage_of_json(data)
    choice = whole.choices[0] if len(whole.choices) == 1 else None
    if choice is None or not bytes(choice.message).startswith(b"{") or b"\\ud" in data or b"\\uD" in data:
        return answer_from_odd_json(data), usage_of_json(data)
    answer = Answer(
        bytes(choice.message),
        (),
        choice.finish_reason or None,
        whole.model or None,
        whole.id or None,
        whole.service_tier or None,
    )
    return answer, whole.usage if whole.usage is not None else usage_of_json(data)


def answer_from_odd_json(data: bytes) -> Answer:
    """With several choices, or values of types that nobody expects."""
    text = mended(data)
    try:
        completion = _decode_completion(text)
        choices = [_decode_choice(choice) for choice in _decode_list(completion.choices)]
    except (msgspec.MsgspecError, RecursionError):
        return Answer()
    answered = [choice for choice in choices if bytes(choice.message).startswith(b"{")]
    raws = [choice.message for choice in answered]
    messages = [bytes(raw) for raw in (raws if text is data else as_received(data, text, raws))]
    first = next((place for place, choice in enumerate(answered) if bytes(choice.index) == b"0"), 0)
    return Answer(
        message=messages[first] if messages else None,
        others=tuple(messages[:first] + messages[first + 1 :]),
        finish_reason=_text(answered[first].finish_reason) if answered else None,
        model=_text(completion.model),
        response_id=_text(completion.id),
        service_tier=_text(completion.service_tier),
    )


def answer_from_sse(data: bytes) -> Answer:
    """The answer in a stream of chat.completion.chunk events, as far as `data` goes."""
    assembly = Assembly()
    for payload in payloads(data):
        chunk = _chunk(payload)
        if chunk is not None:
            assembly.add(chunk)
    messages = assembly.messages()
    encoded = [message.encoded() for message in messages]
    return Answer(
        message=encoded[0] if encoded else None,
        others=tuple(encoded[1:]),
        finish_reason=messages[0].finish_reason if messages else None,
        model=assembly.model,
        response_id=assembly.response_id,
        service_tier=assembly.service_tier,
    )


def completion_text(answer: Answer) -> str:
    """All that the model wrote, for an estimate of its tokens: content, reasoning, names and arguments of calls."""
    messages = [message for message in (answer.message, *answer.others) if message is not None]
    return "\n".join(text for message in messages for text in _texts(decode_message(mended(message))) if text)


def is_readable(content_encoding: str | None) -> bool:
    """Whether `decoded` gives the text itself."""
    encoding = (content_encoding or "identity").strip().lower()
    return encoding == "identity" or encoding in _WINDOW_BITS


def decoded(data: bytes, content_encoding: str | None) -> bytes:
    """`data`, maybe cut short, without its gzip or deflate encoding, at most MAX_INFLATED bytes of it; what another
    encoding hides stays as it is."""
    bits = _WINDOW_BITS.get((content_encoding or "").strip().lower())
    if bits is None:
        return data
    inflated: list[bytes] = []
    position, room = 0, MAX_INFLATED
    inflater = zlib.decompressobj(bits)
    while position < len(data) and room > 0:
        if inflater.eof:  # a body may be several gzip members
            inflater = zlib.decompressobj(bits)
        piece = data[position : position + _PIECE]
        try:
            inflated.append(inflater.decompress(piece, room))
        except zlib.error:
            break
        room -= len(inflated[-1])
        position += len(piece) - len(inflater.unused_data)
    return b"".join(inflated)


def _chunk(payload: bytes) -> dict[str, Any] | None:
    try:
        chunk = _decode_any(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        chunk = _lenient(payload)
    return chunk if isinstance(chunk, dict) else None


def _lenient(payload: bytes) -> object:
    """For half a surrogate pair, whose other half may be in the next chunk: json keeps it."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return text_or_none(_decode_text(raw))
    except msgspec.MsgspecError:
        return None


def _texts(message: dict[str, Any]) -> list[str]:
    reasoning = text_or_none(message.get("reasoning_content")) or text_or_none(message.get("reasoning"))
    found = [reasoning or "", text_of(message.get("content")), text_or_none(message.get("refusal")) or ""]
    calls = message.get("tool_calls")
    for call in (*(calls if isinstance(calls, list) else ()), {"function": message.get("function_call")}):
        body = (call.get("function") or call.get("custom")) if isinstance(call, dict) else None
        if isinstance(body, dict):
            found.extend(text_or_none(body.get(key)) or "" for key in ("name", "arguments", "input"))
    return found
