"""Contents of sessions that are asked for again and again: the same as if the log was read anew each time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from proxy import content_indexes
from proxy.content_indexes import ContentIndexes
from proxy.contents import MissingContentError, SessionContents
from schema.appending import Appender
from schema.appends import Append
from schema.blobs import content_ref
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Body, Metadata, NewEvent
from tests.projections.building import completed, refs, session, started


def texts(number: int) -> tuple[bytes, bytes]:
    return msgspec.json.encode({"role": "user", "content": f"ask {number}"}), b'{"messages":[]}'


async def exchange(appender: Appender, number: int, session_id: int) -> str:
    """Recorded; the ref of its only message."""
    message, envelope = texts(number)
    bodies = tuple(Body(content_ref(data), data) for data in (message, envelope))
    event = started(number, session_id, received=refs(bodies[0].ref), envelope_ref=bodies[1].ref)
    new = [NewEvent(f"exchange-{number}", event, bodies), NewEvent(f"exchange-{number}", completed(number, session_id))]
    await appender.append(Append(events=new, metadata=Metadata(actor="proxy"), durable=False))
    return bodies[0].ref


async def test_what_is_new_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    log = EventLog(tmp_path / "events.sqlite", keys)
    appender = Appender(log)
    appender.start()
    new = [NewEvent(f"session-{number}", session(number)) for number in (1, 2, 3)]
    await appender.append(Append(events=new, metadata=Metadata(actor="api"), durable=False))
    indexes = ContentIndexes(log)
    assert indexes.of(1).exchange_ids() == []
    found = [await exchange(appender, number, 1 + number % 2) for number in range(1, 9)]
    for sessions in ((1,), (2,), (1, 2), (1,)):
        kept, anew = indexes.of(*sessions), SessionContents(log, *sessions)
        assert kept.exchange_ids() == anew.exchange_ids() == [n for n in range(1, 9) if 1 + n % 2 in sessions]
        assert kept.message_refs() == anew.message_refs()
        for number in kept.exchange_ids():
            assert kept.received_messages(number) == anew.received_messages(number) == [texts(number)[0]]
    with pytest.raises(MissingContentError):
        indexes.of(1).body(found[0])  # of session 2
    last = await exchange(appender, 9, 1)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: indexes.of(1).body(last), range(20))) == {texts(9)[0]}
    keys.destroy(1)
    log.sealer.forget(1)
    with pytest.raises(MissingContentError):
        indexes.of(1).body(last)
    monkeypatch.setattr(content_indexes, "_REFS", 4)
    assert indexes.of(2).body(found[0]) == texts(1)[0]
    assert indexes.of(3).exchange_ids() == []
    assert list(indexes._kept) == [(3,)]
    await appender.close()
    log.close()
    keys.close()
