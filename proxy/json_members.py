"""Where the members of a top-level JSON object stand in its text, so that one can be replaced byte for byte.

The decoder tells each value's text but not its place. In the order of the document a value begins where the key before
it ends, so the walk only reads the keys; a value is skipped by its length.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

_WS = rb"[ \t\n\r]*"
_KEY = re.compile(_WS + rb"[{,]" + _WS + rb'("(?:[^"\\]|\\.)*+")' + _WS + rb":" + _WS)
_HIDDEN = b'{"\\u0000":'  # an object's beginning whose first key no client sends
_RESTARTS = 32

_SPELLED = re.compile(rb"\\u00[567]")  # an escape of a letter, as nobody writes names
_COLON = re.compile(_WS + rb":" + _WS)
_ABSENT = msgspec.Raw(b"")
NAMED = "model", "stream_options"

_decode_named = {
    name: msgspec.json.Decoder(msgspec.defstruct("Named", [(name, msgspec.Raw, _ABSENT)])).decode for name in NAMED
}
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_key = msgspec.json.Decoder(str).decode


class Member(NamedTuple):
    """A member of the object: its key, decoded, and the place of its value's text in the body."""

    key: str
    start: int
    end: int


class DuplicateKeysError(ValueError):
    """More keys stand twice in the object than an honest writer makes."""


def members(body: bytes) -> list[Member]:
    """The members of the JSON object `body` in the order of the text, duplicate keys included.

    Raises msgspec.MsgspecError for anything but an object, RecursionError for absurd nesting, DuplicateKeysError.
    """
    found: list[Member] = []
    text, shift, name = body, 0, None  # text[i] is body[i + shift]; `name` is the true name of a hidden first key
    for _ in range(_RESTARTS):
        dropped = _walk(text, shift, name, found)
        if dropped is None:
            return found
        name, start = dropped
        text, shift = _HIDDEN + body[start:], start - len(_HIDDEN)
    raise DuplicateKeysError("too many duplicate keys")


def members_named(body: bytes, name: str) -> list[Member]:
    """Those of one of the names `NAMED`, and maybe others: all are walked through only where the name stands in the
    text more than once. Raises what `members` does."""
    quoted = b'"%b"' % name.encode()
    if _SPELLED.search(body) or body.count(quoted) > 1:
        return members(body)
    value: msgspec.Raw = getattr(_decode_named[name](body), name)
    colon = _COLON.match(body, body.find(quoted) + len(quoted)) if value is not _ABSENT else None
    if colon is None:
        return []
    return [Member(name, colon.end(), colon.end() + memoryview(value).nbytes)]


def replaced(body: bytes, found: Sequence[Member], value: bytes) -> bytes:
    """`body` with `value` in the place of the values of the members `found`."""
    for member in reversed(found):
        body = body[: member.start] + value + body[member.end :]
    return body


def with_member(text: bytes, member: bytes) -> bytes:
    """The JSON object `text` with one more member, given as `"key":value`, at its end."""
    end = text.rindex(b"}")
    comma = b"" if text[:end].rstrip(b" \t\r\n").endswith(b"{") else b","
    return text[:end] + comma + member + text[end:]


def _walk(text: bytes, shift: int, name: str | None, found: list[Member]) -> tuple[str, int] | None:
    """Append the members of `text` to `found` up to the first whose value the decoder dropped for a later one of the
    same key; return that one's key and start."""
    values = _decode(text)
    position = 0
    while match := _KEY.match(text, position):
        key = _decode_key(match[1])
        start = match.end()
        position = _value_end(text, start, bytes(values[key]))
        true_key, name = (key if name is None else name), None
        if not position:
            return true_key, start + shift
        found.append(Member(true_key, start + shift, position + shift))
    return None


def _value_end(text: bytes, start: int, value: bytes) -> int:
    """Where `value` ends if it is what stands at `start`, else 0."""
    end = start + len(value)
    # A number can begin with another complete value: 12 with 1.
    return end if text.startswith(value, start) and text[end] not in b"0123456789.eE+-" else 0
