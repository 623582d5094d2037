"""Stored form of an event, behind the Transcoder and Mapper seams of `eventsourcing`.

The state of a stored event is one byte string: a clear header (JSON array), a newline, the clear data (JSON object), a
newline, the sealed fields, the blob. JSON holds no raw newline, so the parts come apart without escaping. Our recorder
keeps the parts in columns of their own; another recorder may keep the state whole.
"""

import hashlib
from typing import Any, NamedTuple

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder

from schema.blobs import BlobPacker
from schema.catalogue import REGISTRY
from schema.configured_secrets import ConfiguredSecrets
from schema.exchanges import Blob
from schema.recorded import Actor, Body, Metadata
from schema.registry import Event, EventType
from schema.sealing import Sealer


class Header(NamedTuple):
    """The clear columns of an event beside its stream, version and type; `sealed_bytes` is the sealed part's length."""

    type_version: int
    session_id: int | None
    exchange_id: int | None
    timestamp: int
    actor: Actor
    by: str | None
    correlation_id: str | None
    causation_position: int | None
    sealed_bytes: int


class DomainEvent(msgspec.Struct, frozen=True):
    """An event on its way into the log or out of it, in the shape that the Mapper takes."""

    originator_id: str
    originator_version: int
    event: Event
    metadata: Metadata
    timestamp: int
    bodies: tuple[Body, ...] = ()


class State(NamedTuple):
    """The parts of a stored state."""

    header: bytes
    data: bytes
    sealed: bytes
    blob: bytes

    def joined(self) -> bytes:
        return b"".join((self.header, b"\n", self.data, b"\n", self.sealed, self.blob))


class Parted(NamedTuple):
    """A stored event with its state in parts: what our recorder writes without joining and splitting it again."""

    stream: str
    version: int
    type: str
    header: Header
    parts: State

    @classmethod
    def of(cls, stored: StoredEvent) -> "Parted":
        """Raises msgspec.MsgspecError for a damaged state."""
        return cls(str(stored.originator_id), stored.originator_version, stored.topic, *split_state(stored.state))


_encode = msgspec.json.Encoder().encode
_NO_SECRETS = ConfiguredSecrets()
_NOTHING = b"{}"
_decode_header = msgspec.json.Decoder(Header).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def split_state(state: bytes) -> tuple[Header, State]:
    """Header and parts of a stored state. Raises msgspec.MsgspecError for damaged bytes."""
    header, _, rest = state.partition(b"\n")
    data, _, tail = rest.partition(b"\n")
    fields = _decode_header(header)
    return fields, State(header, data, tail[: fields.sealed_bytes], tail[fields.sealed_bytes :])


class EventTranscoder(Transcoder):
    """Encodes a DomainEvent as a state and decodes the data part again; seals with the session's key, and takes
    configured `secrets` out of what it encodes."""

    def __init__(self, sealer: Sealer, secrets: ConfiguredSecrets = _NO_SECRETS) -> None:
        self.sealer = sealer
        self._secrets = secrets
        self._packer = BlobPacker(sealer)

    def encode(self, obj: DomainEvent) -> bytes:
        return self.encode_parts(obj)[0].parts.joined()

    def encode_parts(self, obj: DomainEvent) -> tuple[Parted, Event]:
        """The stored event, and the event as it will be read back: with its blob filled in, without secrets."""
        entry = REGISTRY.of(obj.event)
        event, blob = self._with_blob(obj)
        meta = obj.metadata
        clear, hidden = _texts(entry, event)
        if self._secrets.stand_in(clear, hidden, f"{meta.by}\n{meta.correlation_id}".encode()):
            event, meta = self._secrets.cleaned(event), self._secrets.cleaned_metadata(meta)
            clear, hidden = _texts(entry, event)
        session_id: int | None = getattr(event, "session_id", None)
        sealed = self.sealer.seal(session_id, hidden) if session_id is not None and hidden != _NOTHING else b""
        header = Header(
            entry.version,
            session_id,
            getattr(event, "exchange_id", None),
            obj.timestamp,
            meta.actor,
            meta.by,
            meta.correlation_id,
            meta.causation_position,
            len(sealed),
        )
        parts = State(_encode(header), clear, sealed, blob)
        return Parted(obj.originator_id, obj.originator_version, entry.name, header, parts), event

    def decode(self, data: bytes) -> dict[str, Any]:
        return _decode_object(data)

    def event(
        self,
        type_name: str,
        type_version: int,
        session_id: int | None,
        exchange_id: int | None,
        data: str,
        sealed: bytes | None,
    ) -> Event:
        """The event of these stored parts; sealed fields are None when the session's key was destroyed.

        Raises UnknownEventTypeError, SealError or msgspec.MsgspecError.
        """
        entry = REGISTRY.named(type_name)
        plain: bytes | None = b""
        if sealed and session_id is not None:
            plain = self.sealer.open(session_id, sealed)
        if type_version == entry.version and plain is not None and data[-1:] == "}" != data:
            try:
                return entry.decode(_object_of(entry, session_id, exchange_id, data, plain))
            except msgspec.ValidationError:
                pass  # a sealed field was empty, or the stored values are wrong: the long way tells
        columns = {"session_id": session_id, "exchange_id": exchange_id}
        return self._event_of(entry, type_version, columns, _decode_object(data), plain)

    def _event_of(
        self,
        entry: EventType,
        version: int,
        columns: dict[str, int | None],
        fields: dict[str, Any],
        plain: bytes | None,
    ) -> Event:
        """The long way: for older versions, and where a key was destroyed."""
        fields.update(_decode_object(plain) if plain else {})
        fields = REGISTRY.upcast(entry, version, fields)
        for _, stored in entry.sealed:
            fields.setdefault(stored, None)
        for column in entry.columns:
            fields[column] = columns[column]
        return msgspec.convert(fields, entry.cls)

    def _with_blob(self, obj: DomainEvent) -> tuple[Event, bytes]:
        if not obj.bodies:
            return obj.event, b""
        session_id: int | None = getattr(obj.event, "session_id", None)
        if session_id is None:
            raise TypeError(f"{type(obj.event).__name__} has bodies but no session to seal them for")
        data = self._packer.pack(session_id, [body.data for body in obj.bodies])
        filled = Blob(sha256=hashlib.sha256(data).hexdigest(), refs=tuple(body.ref for body in obj.bodies))
        return msgspec.structs.replace(obj.event, blob=filled), data


def _texts(entry: EventType, event: Event) -> tuple[bytes, bytes]:
    """Clear and sealed fields as JSON objects."""
    clear = _encode(msgspec.convert(event, entry.clear_view, from_attributes=True))
    if not entry.sealed:
        return clear, _NOTHING
    return clear, _encode(msgspec.convert(event, entry.sealed_view, from_attributes=True))


def _object_of(entry: EventType, session_id: int | None, exchange_id: int | None, data: str, plain: bytes) -> str:
    """Columns, clear data and opened fields of an event as one JSON object. Each part is an object without space
    around it, as it was encoded."""
    columns, inside, opened = entry.columns, data[1:-1], plain[1:-1].decode()
    if opened and inside and session_id is not None and exchange_id is not None and len(columns) == 2:  # most of all
        return f'{{"session_id":{session_id},"exchange_id":{exchange_id},{inside},{opened}}}'
    members = (
        _member("session_id", session_id) if "session_id" in columns else "",
        _member("exchange_id", exchange_id) if "exchange_id" in columns else "",
        inside,
        opened,
    )
    return f"{{{','.join(filter(None, members))}}}"


def _member(name: str, value: int | None) -> str:
    return f'"{name}":{"null" if value is None else value}'


class EventMapper(Mapper[str]):
    """Between DomainEvent and StoredEvent: the topic is the registered type name, never an import path."""

    transcoder: EventTranscoder

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        if not isinstance(domain_event, DomainEvent):
            raise TypeError(f"{type(domain_event).__name__} is not a DomainEvent")
        parted, _ = self.transcoder.encode_parts(domain_event)
        return StoredEvent(parted.stream, parted.version, parted.type, parted.parts.joined())

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEvent:
        header, parts = split_state(stored_event.state)
        return DomainEvent(
            str(stored_event.originator_id),
            stored_event.originator_version,
            self.transcoder.event(
                stored_event.topic,
                header.type_version,
                header.session_id,
                header.exchange_id,
                parts.data.decode(),
                parts.sealed,
            ),
            Metadata(
                actor=header.actor,
                by=header.by,
                correlation_id=header.correlation_id,
                causation_position=header.causation_position,
            ),
            header.timestamp,
        )
