"""The envelope of a request body: all of it outside the messages, so that it is stored once per conversation.

An envelope is one JSON line `[form, prefix length]` and then bytes. Form 0 and 1: the body before and after the messages,
which are separated by `,` or `, `. Form 2, for any other spacing: what stands before, between and after the messages,
each piece with its length in the line.
"""

from collections.abc import Sequence

import msgspec

_SEPARATORS = (b",", b", ")
_SPACED = len(_SEPARATORS)


def split(body: bytes, messages: Sequence[msgspec.Raw]) -> bytes:
    """The envelope of `body`, whose messages these are, in order."""
    first = bytes(messages[0])
    for form, separator in enumerate(_SEPARATORS):
        joined = separator.join(messages)
        at = body.find(first)
        while at >= 0:
            if body.startswith(joined, at):
                return msgspec.json.encode([form, at]) + b"\n" + body[:at] + body[at + len(joined) :]
            at = body.find(first, at + 1) if len(messages) > 1 and at < len(body) // 2 else -1
        if len(messages) == 1:
            break
    return _spaced(body, messages)


def join(envelope: bytes, messages: Sequence[bytes]) -> bytes:
    """The body again. Raises ValueError where the envelope is damaged or belongs to another number of messages."""
    line, _, rest = envelope.partition(b"\n")
    form, *lengths = msgspec.json.decode(line, type=list[int])
    if form < _SPACED:
        return rest[: lengths[0]] + _SEPARATORS[form].join(messages) + rest[lengths[0] :]
    if len(lengths) != len(messages):
        raise ValueError("the envelope is of another list of messages")
    parts: list[bytes] = []
    at = 0
    for length, message in zip(lengths, messages, strict=True):
        parts += (rest[at : at + length], message)
        at += length
    return b"".join((*parts, rest[at:]))


def _spaced(body: bytes, messages: Sequence[msgspec.Raw]) -> bytes:
    """Walks the messages in order. A message's bytes may occur earlier, inside something else; that does no harm: what
    lies between is kept, and the pieces still add up to the body."""
    pieces: list[bytes] = []
    at = 0
    for raw in messages:
        message = bytes(raw)
        found = body.index(message, at)
        pieces.append(body[at:found])
        at = found + len(message)
    line = msgspec.json.encode([_SPACED, *(len(piece) for piece in pieces)])
    return line + b"\n" + b"".join(pieces) + body[at:]
