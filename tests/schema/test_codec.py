"""Every event comes back as it went in, and what is sealed is not there in clear."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.blobs import content_ref, unpack
from schema.catalogue import REGISTRY
from schema.codec import DomainEvent, EventMapper, EventTranscoder, Parted, split_state
from schema.exchanges import ExchangeStarted
from schema.keys import KeyStore
from schema.recorded import Body, Metadata
from schema.registry import Event, UnknownEventTypeError
from schema.sealing import Sealer, SealError
from schema.sessions import SessionRenamed, SessionStarted
from schema.workspace import AutoSessionEnabled
from tests.schema.events import any_event, ids, maybe, started, texts

tried = settings(deadline=None, max_examples=200)

metadatas = st.builds(
    Metadata,
    actor=st.sampled_from(["api", "proxy", "ws", "mcp", "system"]),
    by=maybe(texts),
    correlation_id=maybe(texts),
    causation_position=maybe(ids),
)


class Codec:
    """Mapper and keys on a directory; keys are made for every session, as the writer does."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "keys.sqlite"
        self.keys = KeyStore(self.path)
        self.sealer = Sealer(self.keys)
        self.mapper = EventMapper(EventTranscoder(self.sealer))

    def stored(self, domain: DomainEvent) -> StoredEvent:
        session_id = getattr(domain.event, "session_id", None)
        if session_id is not None:
            self.sealer.ensure_keys({session_id})
        return self.mapper.to_stored_event(domain)

    def without_keys(self) -> "Codec":
        """The same directory after all session keys were destroyed, opened anew."""
        self.keys.close()
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute("DELETE FROM session_keys")
        db.close()
        return Codec(self.path.parent)


@pytest.fixture(scope="module")
def codec() -> Iterator[Codec]:
    with tempfile.TemporaryDirectory() as directory:
        codec = Codec(Path(directory))
        yield codec
        codec.keys.close()


def sealed_as_none(event: Event) -> Event:
    names = [name for name, _ in REGISTRY.of(event).sealed]
    return msgspec.structs.replace(event, **dict.fromkeys(names))


@tried
@given(any_event, metadatas, st.integers(1, 1 << 40), st.integers(0, 1 << 50))
def test_an_event_comes_back_as_it_went_in(
    codec: Codec, event: Event, metadata: Metadata, version: int, timestamp: int
) -> None:
    domain = DomainEvent("some-stream", version, event, metadata, timestamp)
    stored = codec.stored(domain)
    assert (stored.originator_id, stored.originator_version) == ("some-stream", version)
    assert stored.topic == type(event).__name__
    assert codec.mapper.to_domain_event(stored) == domain


@tried
@given(any_event)
def test_the_parts_of_a_state_come_apart_and_join_again(codec: Codec, event: Event) -> None:
    state = codec.stored(DomainEvent("s", 1, event, Metadata(actor="api"), 5)).state
    assert len(codec.mapper.transcoder.encode(DomainEvent("s", 1, event, Metadata(actor="api"), 5))) == len(state)
    header, parts = split_state(state)
    assert parts.joined() == state
    assert header.sealed_bytes == len(parts.sealed)
    assert header.session_id == getattr(event, "session_id", None)
    assert header.exchange_id == getattr(event, "exchange_id", None)


MARK = "a-text-that-only-the-session's-key-opens"


@tried
@given(any_event)
def test_sealed_fields_are_not_there_in_clear(codec: Codec, event: Event) -> None:
    sealed = [name for name, _ in REGISTRY.of(event).sealed]
    marked = msgspec.structs.replace(event, **dict.fromkeys(sealed, MARK))
    stored = codec.stored(DomainEvent("s", 1, marked, Metadata(actor="api"), 5))
    assert MARK.encode() not in stored.state
    assert (split_state(stored.state)[1].sealed != b"") == bool(sealed)


def test_without_the_key_sealed_fields_are_none_and_all_else_stays(tmp_path: Path) -> None:
    codec = Codec(tmp_path)
    domains: list[tuple[DomainEvent, StoredEvent]] = []

    @settings(deadline=None, max_examples=60)
    @given(any_event)
    def store(event: Event) -> None:
        domain = DomainEvent("s", 1, event, Metadata(actor="api"), 5)
        domains.append((domain, codec.stored(domain)))

    store()
    later = codec.without_keys()
    for domain, stored in domains:
        expected = msgspec.structs.replace(domain, event=sealed_as_none(domain.event))
        assert later.mapper.to_domain_event(stored) == expected
    later.keys.close()


@tried
@given(started, st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_bodies_fill_the_blob_of_their_event(codec: Codec, event: ExchangeStarted, datas: list[bytes]) -> None:
    bodies = tuple(Body(content_ref(data), data) for data in datas)
    domain = DomainEvent("s", 1, event, Metadata(actor="proxy"), 5, bodies)
    codec.sealer.ensure_keys({event.session_id})
    parted, filled = codec.mapper.transcoder.encode_parts(domain)
    assert isinstance(filled, ExchangeStarted) and filled.blob is not None
    assert filled.blob.refs == tuple(body.ref for body in bodies)
    blob = parted.parts.blob
    assert filled.blob.sha256 == content_ref(blob)
    assert unpack(codec.sealer, event.session_id, blob) == datas
    stored = StoredEvent(parted.stream, parted.version, parted.type, parted.parts.joined())
    assert codec.mapper.to_domain_event(stored).event == filled
    assert Parted.of(stored) == parted


def test_an_older_stored_event_may_lack_fields_that_have_defaults(codec: Codec) -> None:
    state = b'[1,7,null,5,"api",null,null,null,0]\n{"provider":"demo","origin":"auto"}\n'
    event = codec.mapper.to_domain_event(StoredEvent("workspace", 1, "SessionStarted", state)).event
    assert event == SessionStarted(session_id=7, name=None, provider="demo", origin="auto")


def test_only_domain_events_are_stored(codec: Codec) -> None:
    class Other:
        originator_id = "s"
        originator_version = 1

    with pytest.raises(TypeError, match="Other"):
        codec.mapper.to_stored_event(Other())


def test_a_session_without_a_key_seals_nothing(codec: Codec) -> None:
    event = SessionRenamed(session_id=0, from_="a", to="b")  # no id that other tests draw
    with pytest.raises(SealError):
        codec.mapper.to_stored_event(DomainEvent("s", 1, event, Metadata(actor="api"), 5))


def test_bodies_need_a_session_to_seal_them_for(codec: Codec) -> None:
    domain = DomainEvent("s", 1, AutoSessionEnabled(), Metadata(actor="api"), 5, (Body("r", b"x"),))
    with pytest.raises(TypeError, match="no session"):
        codec.mapper.to_stored_event(domain)


@pytest.mark.parametrize("state", [b"", b"[1,2]\n{}\n", b'[1,null,null,5,"api",null,null,null,0]\n{\n', b"\xff\n{}\n"])
def test_a_damaged_state_is_an_error(codec: Codec, state: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        codec.mapper.to_domain_event(StoredEvent("s", 1, "AutoSessionEnabled", state))


def test_an_unknown_type_is_an_error(codec: Codec) -> None:
    state = codec.stored(DomainEvent("s", 1, AutoSessionEnabled(), Metadata(actor="api"), 5)).state
    with pytest.raises(UnknownEventTypeError):
        codec.mapper.to_domain_event(StoredEvent("s", 1, "Later", state))
