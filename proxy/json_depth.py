"""How deep a JSON text is nested, without building it: most texts are cleared by counting their opening brackets."""

import msgspec

_ALL_BUT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_LEVELS = 3  # that are opened one by one: enough for tool schemas and message parts

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def within_depth(text: bytes, limit: int, levels: int = _LEVELS) -> bool:
    """Whether the well-formed JSON `text` is nested at most `limit` deep; a scalar has depth 0.

    `text` is one value without space around it. Brackets inside strings can only make the answer slower, never wrong.
    """
    if len(text) <= 2 * limit or text[:1] not in b"[{" or openers(text) <= limit:
        return True
    children = _children(text) if levels and limit else None
    if children is None:
        return _reducible(_brackets(text), limit)
    return all(within_depth(child, limit - 1, levels - 1) for child in children)


def openers(text: bytes) -> int:
    """Opening brackets in `text`, those inside strings too: no text is nested deeper than this.

    Replacing is several times faster than counting on this interpreter.
    """
    return 2 * len(text) - len(text.replace(b"[", b"")) - len(text.replace(b"{", b""))


def _children(text: bytes) -> list[bytes] | None:
    """The values inside; None for an object that has more in it: a key that stands twice keeps its last value only."""
    if text[:1] == b"[":
        return [bytes(value) for value in _decode_array(text)]
    values = [bytes(value) for value in _decode_object(text).values()]
    return values if 1 + sum(map(openers, values)) == openers(text) else None


def _brackets(text: bytes) -> bytes:
    """The brackets outside strings, as curly ones. Escape sequences go first, in the order in which they are read;
    then every other piece between quotes is the inside of a string."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(plain.split(b'"')[::2]).translate(_ONE_KIND, _ALL_BUT_BRACKETS)


def _reducible(brackets: bytes, limit: int) -> bool:
    """Each round takes off the innermost pairs, and so one level."""
    for _ in range(limit):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"")
    return not brackets
