"""Event types as data: a fixed name and version for each, never an import path.

A type's name is what stands in the log for ever; renaming the class changes nothing. A field annotated `SealedText`
is encrypted with its session's key inside the stored event and decodes to None once that key is destroyed.
"""

from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import msgspec

SEALED = msgspec.Meta(extra={"sealed": True})
SealedText = Annotated[str | None, SEALED]
COLUMNS = ("session_id", "exchange_id")  # event fields that the log keeps as columns of their own

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What happened. Subclasses are registered with `event_type` and hold plain data only: without cycles, so that the
    garbage collector need not look at them."""


class EventType(msgspec.Struct, frozen=True):
    """How one event class is stored: `clear` fields as JSON, `sealed` fields encrypted, `columns` beside both."""

    name: str
    version: int
    cls: type[Event]
    clear: tuple[tuple[str, str], ...]  # (attribute, stored name)
    sealed: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    decode: Callable[[str], Event]  # from one JSON object with all of these
    clear_view: type[msgspec.Struct]  # the same fields under their stored names, without those that are None
    sealed_view: type[msgspec.Struct]


class UnknownEventTypeError(LookupError):
    """The log holds a type (or a later version of one) that this program does not know."""


class Registry:
    """All event types by name and class, and the upcasts that lift stored data of older versions."""

    def __init__(self) -> None:
        self._by_name: dict[str, EventType] = {}
        self._by_class: dict[type[Event], EventType] = {}
        self._upcasts: dict[tuple[str, int], Upcast] = {}

    def add(self, cls: type[Event], *, version: int = 1, upcasts: dict[int, Upcast] | None = None) -> None:
        """Register `cls` under its class name; `upcasts[n]` lifts stored data of version n to n + 1."""
        name = cls.__name__
        if name in self._by_name:
            raise ValueError(f"event type {name} is registered twice")
        hints = get_type_hints(cls, include_extras=True)
        pairs = [(field.name, field.encode_name) for field in msgspec.structs.fields(cls)]
        sealed = tuple(pair for pair in pairs if SEALED in getattr(hints[pair[0]], "__metadata__", ()))
        columns = tuple(name for name, _ in pairs if name in COLUMNS)
        clear = tuple(pair for pair in pairs if pair not in sealed and pair[0] not in COLUMNS)
        if sealed and "session_id" not in columns:
            raise ValueError(f"{name} seals fields but names no session")
        decode = msgspec.json.Decoder(cls).decode
        entry = EventType(name, version, cls, clear, sealed, columns, decode, _view(clear), _view(sealed))
        self._by_name[name] = self._by_class[cls] = entry
        for from_version, upcast in (upcasts or {}).items():
            self._upcasts[name, from_version] = upcast

    def of(self, event: Event) -> EventType:
        """Raises UnknownEventTypeError for a class that is not registered."""
        try:
            return self._by_class[type(event)]
        except KeyError:
            raise UnknownEventTypeError(type(event).__name__) from None

    def named(self, name: str) -> EventType:
        """Raises UnknownEventTypeError."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownEventTypeError(name) from None

    def names(self) -> list[str]:
        return sorted(self._by_name)

    def upcast(self, entry: EventType, version: int, data: dict[str, Any]) -> dict[str, Any]:
        """Lift stored `data` of `version` to the current one. Raises UnknownEventTypeError for a later version."""
        if version > entry.version:
            raise UnknownEventTypeError(f"{entry.name} version {version}")
        for step in range(version, entry.version):
            data = self._upcasts[entry.name, step](data)
        return data


def _view(fields: tuple[tuple[str, str], ...]) -> type[msgspec.Struct]:
    defined = [(name, Any, msgspec.field(default=None, name=stored)) for name, stored in fields]
    return msgspec.defstruct("View", defined, omit_defaults=True)
