"""Large bodies of writes, read as `parsed` reads small ones, but for what nobody asks for: only the fields of the model
are decoded, the rest is looked through. Other clients are answered in between.

No field of any model takes `MOST_VALUES` values, which are not decoded then. Lists are decoded a few items at a time.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from api.details import invalid
from api.errors import InvalidFieldError
from api.json_objects import check_depth, decoded, malformed, no_object, too_deep
from context.json_depth import has_more_values
from context.surrogates import mended

LARGE = 64 << 10  # bytes
MOST_VALUES = 500_000  # of one field: fifty for each of 10,000 messages
_AT_ONCE = 16 << 10  # bytes of items that are decoded before others have their turn
_ECHO = 300  # bytes
_ABSENT = msgspec.Raw(b"")
_LONE = b"\\ud800"
_PRIVATE = range(0xE000, 0xF900)  # characters without a meaning

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class LargeBody:
    """Bodies with the fields `names`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {f"field_{index}": name for index, name in enumerate(names)}
        fields = [(field, msgspec.Raw, _ABSENT) for field in self._names]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Fields", fields, rename=self._names)).decode

    async def read(self, data: bytes) -> dict[str, object]:
        """The fields that are there. Raises ApiError 400 and InvalidFieldError."""
        found, mark = await asyncio.to_thread(self._looked_through, data)
        fields: dict[str, object] = {}
        for field, name in self._names.items():
            raw = getattr(found, field)
            if raw is not _ABSENT:
                fields[name] = await _value(name, bytes(raw), mark)
        return fields

    def _looked_through(self, data: bytes) -> tuple[Any, bytes]:
        """The values of the fields as text, and what stands in them for unpaired surrogates, which the decoder refuses.

        In a thread: no single step takes long, and between two of them the loop has its turn.
        """
        found = self._found(data)
        check_depth(data)
        return found

    def _found(self, data: bytes) -> tuple[Any, bytes]:
        try:
            if not data.isascii():
                data.decode()
            return self._decode(data), b""
        except msgspec.ValidationError:
            _check_malformed(data)
            raise no_object() from None
        except RecursionError:
            raise too_deep() from None
        except UnicodeDecodeError:
            raise malformed() from None
        except msgspec.DecodeError:
            mark = _unused(data)
            text = mended(data, mark)
        if text is data:
            raise malformed()
        try:
            return self._decode(text), mark
        except msgspec.ValidationError:
            raise no_object() from None
        except RecursionError:
            raise too_deep() from None
        except msgspec.DecodeError:
            raise malformed() from None


async def _value(name: str, text: bytes, mark: bytes) -> object:
    if len(text) > MOST_VALUES and await asyncio.to_thread(has_more_values, text, MOST_VALUES):
        limit = f"Input should have fewer than {MOST_VALUES} values"
        shown = text[:_ECHO].decode("utf-8", "replace")
        raise InvalidFieldError([invalid("too_long", ("body", name), limit, shown)])
    if not text.startswith(b"[") or len(text) <= _AT_ONCE:
        return _decoded(text, mark)
    items: list[object] = []
    size = 0
    for raw in _decode_items(text):
        size += memoryview(raw).nbytes
        items.append(_decoded(bytes(raw), mark))
        if size + 16 * len(items) > _AT_ONCE:
            size = -16 * len(items)
            await asyncio.sleep(0)
    return items


def _decoded(text: bytes, mark: bytes) -> object:
    try:
        return decoded(text.replace(mark, _LONE) if mark else text)
    except (ValueError, RecursionError):  # what one decoder takes and the other does not
        raise malformed() from None


def _check_malformed(data: bytes) -> None:
    """What is no object, or not even JSON. Raises ApiError."""
    try:
        _decode_any(mended(data))
    except RecursionError:
        raise too_deep() from None
    except msgspec.MsgspecError:
        raise malformed() from None
    check_depth(data)


def _unused(data: bytes) -> bytes:
    """The escape of a character that does not stand in `data`."""
    lower = data.lower()
    for code in _PRIVATE:
        escape = b"\\u%04x" % code
        if escape not in lower and chr(code).encode() not in data:
            return escape
    raise malformed()  # a text of all of them: nobody sends that
