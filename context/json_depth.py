"""How deep a JSON text is nested and how many values it holds, without building it: most texts are cleared by counting
their opening brackets."""

from collections.abc import Iterator

import msgspec

_OTHERS = bytes(sorted(set(range(256)) - set(b'[]{}"')))
_NO_SIGNS = bytes(sorted(set(range(256)) - set(b'[{,"')))
_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_LEVELS = 3  # that are opened one by one: enough for tool schemas and message parts
_OPENED = 64 << 10  # bytes: what is longer is not opened, it may hold millions of values
_PIECE = 256 << 10  # bytes that are looked through at once
_JUNCTIONS = tuple((b"}" * size + b"{" * size) for size in (1, 64, 16, 4, 1))

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def within_depth(text: bytes, limit: int, levels: int = _LEVELS) -> bool:
    """Whether the well-formed JSON `text` is nested at most `limit` deep; a scalar has depth 0.

    `text` is one value without space around it. Brackets inside strings can only make the answer slower, never wrong.
    """
    if len(text) <= 2 * limit or text[:1] not in b"[{" or openers(text) <= limit:
        return True
    children = _children(text) if levels and limit and len(text) <= _OPENED else None
    if children is None:
        return _depth(_brackets(text)) <= limit
    return all(within_depth(child, limit - 1, levels - 1) for child in children)


def openers(text: bytes) -> int:
    """Opening brackets in `text`, those inside strings too: no text is nested deeper than this.

    Replacing is several times faster than counting on this interpreter.
    """
    return 2 * len(text) - len(text.replace(b"[", b"")) - len(text.replace(b"{", b""))


def has_more_values(text: bytes, limit: int) -> bool:
    """Whether the well-formed JSON `text` holds more than about `limit` values: an empty list counts as two."""
    if text.count(b",") + openers(text) < limit:
        return False
    return sum(map(len, _outside(text, _NO_SIGNS))) >= limit


def _children(text: bytes) -> list[bytes] | None:
    """The values inside; None for an object that has more in it: a key that stands twice keeps its last value only, and
    for what this decoder does not take, such as unpaired surrogates."""
    try:
        if text[:1] == b"[":
            return [bytes(value) for value in _decode_array(text)]
        values = [bytes(value) for value in _decode_object(text).values()]
    except (msgspec.MsgspecError, RecursionError):
        return None
    return values if 1 + sum(map(openers, values)) == openers(text) else None


def _brackets(text: bytes) -> bytes:
    """The brackets outside strings, as curly ones."""
    return b"".join(_outside(text, _OTHERS)).translate(_ONE_KIND)


def _outside(text: bytes, others: bytes) -> Iterator[bytes]:
    """What stands outside strings, without the bytes `others`.

    Escape sequences go first, in the order in which they are read; then each quote begins a string or ends one. Two
    quotes side by side can go: what is inside a string stays inside.
    """
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
    plain = plain.translate(None, others).replace(b'""', b"")
    inside = 0  # whether a piece begins in a string
    for start in range(0, len(plain), _PIECE):
        parts = plain[start : start + _PIECE].split(b'"')
        yield from parts[inside::2]
        inside = (inside + len(parts) - 1) % 2


def _depth(brackets: bytes) -> int:
    """Of balanced brackets. Where a value ends and its neighbour begins, the two are made one, as deep as the deeper
    of them, until there is but one in each other. Whole runs go at once: long texts take a few rounds."""
    while b"}{" in brackets:
        for junction in _JUNCTIONS:
            brackets = brackets.replace(junction, b"")
    return len(brackets) // 2
