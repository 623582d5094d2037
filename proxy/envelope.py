"""The envelope of a request body: all of it outside its messages, so that the two together give the body back.

Requests of one conversation that differ only in their messages have the same envelope, which is then stored once.
It is one line of JSON, a newline, and the body's bytes around the messages. The line says where they go:
`{"prefix":n,"separator":s}`: n bytes, the messages with s between each two, the rest; or `"separators":[...]` where
they differ; or `{"whole":true}` where the messages could not be found in the body: it follows as it was.
"""

import re
from collections.abc import Sequence

import msgspec

_KEY = b'"messages"'
_OPENING = re.compile(rb"([ \t\r\n]*):([ \t\r\n]*)\[([ \t\r\n]*)")
_SEPARATOR = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")


class EnvelopeError(ValueError):
    """These bytes are no envelope, or one of another number of messages."""


class _Head(msgspec.Struct, omit_defaults=True):
    prefix: int = 0
    separator: str | None = None
    separators: list[str] | None = None
    whole: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Head).decode


def split(body: bytes, messages: Sequence[msgspec.Raw]) -> bytes:
    """The envelope of `body`, whose messages are `messages` in this order, as decoded from it or from a body that
    differs elsewhere. Whatever they are, `join(split(body, messages), messages) == body`."""
    found = body.find(_KEY) if messages else -1
    while found >= 0:
        opening = _OPENING.match(body, found + len(_KEY))
        envelope = _split_at(body, messages, opening) if opening else None
        if envelope is not None:
            return envelope
        found = body.find(_KEY, found + 1)
    return _encode(_Head(whole=True)) + b"\n" + body


def join(envelope: bytes, messages: Sequence[bytes | msgspec.Raw]) -> bytes:
    """The body, byte for byte. Raises EnvelopeError."""
    line, _, rest = envelope.partition(b"\n")
    try:
        head = _decode(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise EnvelopeError(f"not an envelope: {error}") from None
    if head.whole:
        return rest
    if head.separator is not None:
        inside = head.separator.encode().join(messages)
    elif head.separators is not None and len(head.separators) == len(messages) - 1:
        after = (*(separator.encode() for separator in head.separators), b"")
        inside = b"".join(part for pair in zip(messages, after, strict=True) for part in pair)
    else:
        raise EnvelopeError("the envelope is one of another number of messages")
    return rest[: head.prefix] + inside + rest[head.prefix :]


def uniform(envelope: bytes, length: int) -> tuple[bytes, bytes, int, int] | None:
    """Of the envelope of a body of this length, in which the same stands between each two messages: its line, what
    stands there, where the first message begins and where the last one ends. None for another."""
    line, _, rest = envelope.partition(b"\n")
    head = _decode(line)
    if head.separator is None:
        return None
    return line, head.separator.encode(), head.prefix, head.prefix + length - len(rest)


def around(envelope: bytes) -> bytes:
    """The body without its messages: with an empty array, or all of it where they could not be found."""
    return envelope.partition(b"\n")[2]


def _split_at(body: bytes, messages: Sequence[msgspec.Raw], opening: re.Match[bytes]) -> bytes | None:
    """The envelope if the messages begin where `opening` ends."""
    start = opening.end()
    separator = _first_separator(body, messages, opening)
    if separator is None:
        return None
    joined = separator.join(messages)
    if body.startswith(joined, start):
        line = b'{"prefix":%d,"separator":","}' % start if separator == b"," else None
        line = line or _encode(_Head(prefix=start, separator=separator.decode()))
        return b"%b\n%b%b" % (line, body[:start], body[start + len(joined) :])
    walked = _walk(body, messages, start)
    if walked is None:
        return None
    separators, end = walked
    return _enveloped(_Head(prefix=start, separators=separators), body, end)


def _enveloped(head: _Head, body: bytes, end: int) -> bytes:
    return _encode(head) + b"\n" + body[: head.prefix] + body[end:]


def _first_separator(body: bytes, messages: Sequence[msgspec.Raw], opening: re.Match[bytes]) -> bytes | None:
    """What stands between the first two messages. Of a single one it is guessed from the style, so that the next
    request of the conversation has the same envelope."""
    if not body.startswith(messages[0], opening.end()):
        return None
    if len(messages) > 1:
        match = _SEPARATOR.match(body, opening.end() + memoryview(messages[0]).nbytes)
        return match[0] if match else None
    after_colon, after_bracket = opening[2], opening[3]
    return b"," + (after_bracket or after_colon)


def _walk(body: bytes, messages: Sequence[msgspec.Raw], start: int) -> tuple[list[str], int] | None:
    """The separators one by one, and where the last message ends."""
    end = start + memoryview(messages[0]).nbytes
    separators: list[str] = []
    for message in messages[1:]:
        match = _SEPARATOR.match(body, end)
        if match is None or not body.startswith(message, match.end()):
            return None
        separators.append(match[0].decode())
        end = match.end() + memoryview(message).nbytes
    return separators, end
