"""What a message of the chat format is to us: its text, its size in tokens, and its canonical form.

Works on single messages as JSON bytes. Anything may stand in them: parts of an unknown kind and fields of a wrong type
are skipped or counted as JSON, never refused.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from context.surrogates import decode_mended
from context.tokens import TextCounter

PER_MESSAGE = 3  # OpenAI's cookbook: each message costs 3 tokens around its fields
PER_REPLY = 3  # and the answer is primed with 3
IMAGE_TOKENS = 765  # one 1024 x 1024 picture in high detail (OpenAI's pricing of images)

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode_any = msgspec.json.Decoder().decode


def decode_message(raw: bytes | msgspec.Raw) -> dict[str, Any]:
    """The message's fields; empty for what is not a JSON object."""
    try:
        return decode_mended(_decode, bytes(raw))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return {}


def text_of(content: object) -> str:
    """The text of a content: itself, or its text parts joined; other kinds are left out."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))


def count_message(message: dict[str, Any], count: TextCounter) -> int:
    """Estimated tokens of one message: role, text, names, tool calls and pictures, and 3 around them."""
    tokens = PER_MESSAGE
    for key, value in message.items():
        if key == "content" and isinstance(value, list):
            tokens += sum(_part_tokens(part, count) for part in value)
        elif key == "tool_calls":
            tokens += sum(count(text) for text in _call_texts(value))
        elif isinstance(value, str) and key not in ("tool_call_id", "id"):
            tokens += count(value)
    return tokens


def canonical(message: dict[str, Any]) -> bytes:
    """Bytes that stay the same when a client re-serialises a message or drops what does not matter: role, text,
    tool calls (arguments as JSON values) and tool_call_id; null and empty values count as absent."""
    calls = [
        [call.get("id") or "", name, _arguments(arguments)]
        for call, name, arguments in _calls(message.get("tool_calls"))
    ]
    content = message.get("content")
    form: dict[str, object] = {
        "role": message.get("role"),
        "text": text_of(content).strip(),
        "parts": [part for part in content if not _is_text(part)] if isinstance(content, list) else [],
        "calls": calls,
        "answers": message.get("tool_call_id"),
    }
    return _encode_sorted({key: value for key, value in form.items() if value})


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _part_tokens(part: object, count: TextCounter) -> int:
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            return count(part["text"])
        if part.get("type") in ("image_url", "input_image", "image"):
            return IMAGE_TOKENS
    return 0


def _calls(value: object) -> Iterator[tuple[dict[str, Any], str, str]]:
    for call in value if isinstance(value, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            name, arguments = function.get("name"), function.get("arguments")
            yield call, name if isinstance(name, str) else "", arguments if isinstance(arguments, str) else ""


def _call_texts(value: object) -> Iterator[str]:
    for _, name, arguments in _calls(value):
        yield name
        yield arguments


def _arguments(text: str) -> object:
    try:
        return _decode_any(text) or ""
    except (msgspec.MsgspecError, RecursionError):
        return text
