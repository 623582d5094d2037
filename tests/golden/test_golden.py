"""A log written by format 1 reads as the same events, and the same events are written the same way."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schema.catalogue import REGISTRY
from schema.codec import DomainEvent
from schema.context import ContentMasked
from schema.exchanges import Blob
from schema.idempotency import Kept
from schema.keys import KeyStore
from schema.log import EventLog
from schema.moving import HoldsBodies
from schema.recorded import NewEvent
from schema.registry import Event
from schema.server_state import ServerContents
from schema.verification import Verifier
from tests.golden.make_golden import GOLDEN, HERE, IDEMPOTENT, METADATA, NAMES, TIMESTAMP


class Golden(msgspec.Struct):
    """A log of before, and what it must read as."""

    log: EventLog
    events: tuple[NewEvent, ...]


def loaded(directory: Path, golden: str) -> None:
    for name in NAMES:
        db = sqlite3.connect(directory / f"{name}.sqlite", isolation_level=None)
        db.executescript((HERE / f"{golden}.{name}.sql").read_text(encoding="utf-8"))
        db.close()


@pytest.fixture(params=GOLDEN)
def golden(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Golden]:
    loaded(tmp_path, request.param)
    keys = KeyStore(tmp_path / "keys.sqlite")
    log = EventLog(tmp_path / "events.sqlite", keys)
    yield Golden(log, GOLDEN[request.param])
    log.close()
    keys.close()


def without_blob(event: Event) -> Event:
    holds = isinstance(event, HoldsBodies | ContentMasked | ServerContents)
    return msgspec.structs.replace(event, blob=None) if holds else event


def test_every_event_type_is_in_it() -> None:
    assert sorted({REGISTRY.of(new.event).name for events in GOLDEN.values() for new in events}) == REGISTRY.names()


def test_it_reads_as_the_same_events(golden: Golden) -> None:
    read = golden.log.read()
    assert [recorded.stream for recorded in read] == [new.stream for new in golden.events]
    assert [without_blob(recorded.event) for recorded in read] == [new.event for new in golden.events]
    assert [recorded.type for recorded in read] == [type(new.event).__name__ for new in golden.events]
    assert [recorded.position for recorded in read] == list(range(1, len(golden.events) + 1))
    assert {recorded.timestamp for recorded in read} == {TIMESTAMP}
    assert {(each.actor, each.by, each.correlation_id, each.causation_position) for each in read} == {
        (METADATA.actor, METADATA.by, METADATA.correlation_id, METADATA.causation_position)
    }


def test_its_chain_is_whole(golden: Golden) -> None:
    assert golden.log.chain_break() is None


def test_it_verifies(golden: Golden) -> None:
    assert Verifier(golden.log).run().problems == []


def test_what_was_kept_of_its_idempotency_key(golden: Golden) -> None:
    assert golden.log.kept(IDEMPOTENT.key, TIMESTAMP) == Kept(
        IDEMPOTENT.request, len(golden.events), len(golden.events), None
    )
    assert golden.log.kept(IDEMPOTENT.key, TIMESTAMP + 1) is None


def test_its_bodies_open(golden: Golden) -> None:
    for position, new in enumerate(golden.events, 1):
        recorded = golden.log.at(position)
        assert recorded is not None
        blob: Blob | None = getattr(recorded.event, "blob", None)
        assert (blob.refs if blob else ()) == tuple(body.ref for body in new.bodies)
        for body in new.bodies:
            assert golden.log.body(position, body.ref) == body.data


def test_the_same_events_are_written_the_same_way(golden: Golden) -> None:
    """Header and clear data byte by byte; sealed parts are sealed anew each time and compared by their length."""
    mapper = golden.log.mapper()
    stored = golden.log.recorder.select_notifications(1, len(golden.events))
    for recorded, old in zip(golden.log.read(), stored, strict=True):
        domain = DomainEvent(recorded.stream, recorded.version, recorded.event, METADATA, TIMESTAMP)
        anew = mapper.to_stored_event(domain)
        assert (anew.topic, anew.originator_version) == (old.topic, old.originator_version)
        assert anew.state.split(b"\n")[:2] == old.state.split(b"\n")[:2]
