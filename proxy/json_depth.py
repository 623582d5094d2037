"""How deep a JSON text is nested, without building it: most texts are cleared by counting their brackets."""

import re

import msgspec

_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_STRING = re.compile(rb'"(?:[^"\\]+|\\.)*+"')

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def within_depth(text: bytes, limit: int) -> bool:
    """Whether the well-formed JSON `text` is nested at most `limit` deep; a scalar has depth 0.

    Linear in its length. Brackets inside strings can only make the quick answers slower, never wrong.
    """
    if _few_brackets(text, limit):
        return True
    # Long texts are mostly one long string in a shallow object: look at its other values only.
    return all(_exact_depth(child) < limit for child in _children(text) if not _few_brackets(child, limit - 1))


def _few_brackets(text: bytes, limit: int) -> bool:
    """True when `text` holds too few brackets to be nested deeper than `limit`, or is a string."""
    if len(text) <= 2 * limit or text.startswith(b'"'):
        return True
    return len(text.translate(None, _NOT_BRACKETS)) <= 2 * limit


def _children(text: bytes) -> list[bytes]:
    values = _decode_object(text).values() if text.startswith(b"{") else _decode_array(text)
    return [bytes(value) for value in values]


def _exact_depth(text: bytes) -> int:
    depth = deepest = 0
    for bracket in _STRING.sub(b"", text).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest
