"""A key that is gone is never made anew, and what needs it is refused without harm to others."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from schema.appends import Committed, KeyMissingError
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.keys import KeyStore, stored_keys
from schema.log import EventLog
from schema.lost_keys import has_contents, lost_keys
from schema.workspace import SessionActivated
from tests.schema.writing import SOON_S, Writing, completed, new, session, started


def lose(keys: KeyStore, *sessions: int) -> None:
    with closing(sqlite3.connect(keys.path, isolation_level=None)) as db:
        for number in sessions:
            db.execute("DELETE FROM session_keys WHERE session_id = ?", (number,))


@pytest.fixture
def lost(log: EventLog) -> Iterator[EventLog]:
    """Of three sessions the first has lost its key; nothing of it is in memory any more."""
    with Writing(log) as writing:
        writing.commit(session(1), session(2), started(1, b"one"), new("workspace", SessionActivated(session_id=3)))
    lose(log.keys, 1)
    with closing(KeyStore(log.keys.path)) as keys, closing(EventLog(log.path, keys)) as again:
        yield again


def test_what_needs_a_lost_key_is_refused_alone(lost: EventLog) -> None:
    with Writing(lost) as writing:
        others = [writing.submit(session(4), wake=False), writing.submit(started(2, b"two", session_id=2), wake=False)]
        refused = writing.submit(started(3, b"three", session_id=1))
        assert isinstance(refused.result(SOON_S), KeyMissingError)
        assert all(isinstance(other.result(SOON_S), Committed) for other in others)
        writing.commit(completed(1))
    assert sorted(stored_keys(lost.keys.path)) == [2, 4]
    assert [getattr(each.event, "name", "") for each in lost.read(types=["SessionStarted"])] == [
        None,
        "a name",
        "a name",
    ]


def test_a_session_that_never_had_contents_gets_its_first_key(lost: EventLog) -> None:
    with Writing(lost) as writing:
        writing.commit(session(3))
    assert sorted(stored_keys(lost.keys.path)) == [2, 3]


def test_whose_key_is_missing(log: EventLog) -> None:
    with Writing(log) as writing:
        writing.commit(*(session(number) for number in range(1, 5)), started(1, b"one", session_id=5))
        writing.commit(new("workspace", SessionActivated(session_id=9)))
        writing.commit(new("workspace", SessionErasureRequested(session_id=4, counts=ErasedCounts())))
    with closing(sqlite3.connect(log.path)) as db:
        assert lost_keys(db, {1, 2, 3, 4, 5}) == ()
        assert lost_keys(db, {1, 3, 77}) == (2, 5)
        assert [has_contents(db, number) for number in (1, 5, 9, 10)] == [True, True, False, False]
