"""Finding memories by their words."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.catalogue import PROJECTIONS
from projections.memory_lists import get_memory, list_memories
from projections.memory_search import search_memories, words_of
from projections.memory_similarity import cosine, jaccard, near_duplicates
from projections.words import Words
from schema.blobs import content_ref
from schema.erasure import ErasedCounts, SessionErased
from schema.memory import MemoryForgotten, MemoryStored
from schema.moving import SessionsMerged
from schema.registry import Event
from tests.projections.building import apply, memory, record, session

WORDS = Words()
Remember = Callable[..., sqlite3.Connection]


class Told:
    """Texts as the log would have them: an event for each, and the body beside it."""

    def __init__(self) -> None:
        self.events: list[Event] = [session(1), session(2)]
        self.bodies: dict[int, dict[str, bytes]] = {}

    def store(self, text: str, session_id: int = 1) -> int:
        """The memory's number."""
        data, number = text.encode(), len(self.bodies) + 1
        ref = content_ref(data)
        self.events.append(
            MemoryStored(
                session_id=session_id,
                memory_id=number,
                memory_type="episodic",
                content_ref=ref,
                hash=ref[:16],
                tokens=1,
                preview=text[:200],
            )
        )
        self.bodies[len(self.events)] = {ref: data}
        return number

    def tables(self) -> sqlite3.Connection:
        db = memory()
        progress = apply(db, PROJECTIONS, record(self.events), contents=lambda at: self.bodies.get(at, {}))
        assert [each.error for each in progress if each.error] == []
        return db


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def opened() -> Iterator[Callable[[Told], sqlite3.Connection]]:
    dbs: list[sqlite3.Connection] = []

    def tables(told: Told) -> sqlite3.Connection:
        dbs.append(told.tables())
        return dbs[-1]

    yield tables
    for db in dbs:
        db.close()


def found(db: sqlite3.Connection, query: str, at: int = 1_000, **how: int) -> list[tuple[int, float]]:
    hits = search_memories(db, WORDS, query, at=at, limit=how.pop("limit", 10), **how)
    return [(hit.memory.id, hit.score) for hit in hits]


def test_the_best_comes_first_and_all_words_are_worth_1(
    told: Told, opened: Callable[[Told], sqlite3.Connection]
) -> None:
    told.store("The staging database listens on port 5433.")
    told.store("Production listens on another port, behind the gateway of the cluster.")
    told.store("Cats sleep most of the day.")
    db = opened(told)
    first, second = found(db, "on which port does the staging database listen?")
    assert (first, second[0]) == ((1, 1.0), 2)
    assert 0 < second[1] < 0.7
    assert found(db, "listening databases")[0][0] == 1  # by their stems
    assert found(db, "elephants") == []
    assert found(db, "the of on") != []  # nothing but such words: then they count
    assert found(db, "STAGING", limit=1) == [(1, 1.0)]


def test_one_memory_is_found_by_a_question(told: Told, opened: Callable[[Told], sqlite3.Connection]) -> None:
    told.store("The deploy key lives in the vault.")
    assert found(opened(told), "where is the deploy key?") == [(1, 1.0)]


def test_an_answer_about_the_past_stays_the_same(told: Told, opened: Callable[[Told], sqlite3.Connection]) -> None:
    told.store("alpha beta gamma")
    told.store("alpha alpha delta")
    before = found(opened(told), "alpha delta", at=4)
    for number in range(20):
        told.store(f"alpha delta number {number}")
    told.events.append(MemoryForgotten(session_id=1, memory_id=2, cause="asked"))
    db = opened(told)
    assert found(db, "alpha delta", at=4) == before
    assert found(db, "alpha delta", at=2) == []
    assert 2 not in dict(found(db, "alpha delta", limit=50))
    assert 2 in dict(found(db, "alpha delta", at=len(told.events) - 1, limit=50))


def test_a_session_sees_its_own_and_those_of_its_parts(
    told: Told, opened: Callable[[Told], sqlite3.Connection]
) -> None:
    one, two = told.store("a shared word", 1), told.store("the shared words", 2)
    told.events.append(SessionsMerged(session_id=2, target_id=2, source_ids=(1,)))
    db = opened(told)
    assert [number for number, _ in found(db, "shared", session_id=1, at=4)] == [one]
    assert {number for number, _ in found(db, "shared", session_id=2)} == {one, two}
    assert get_memory(db, one, at=4).session_id == 1  # type: ignore[union-attr]
    page = list_memories(db, at=5, session_id=2, min_access_count=0, limit=10)
    assert (page.total, [row.session_id for row in page.rows]) == (2, [2, 2])


def test_an_erased_text_is_in_no_index(told: Told, opened: Callable[[Told], sqlite3.Connection]) -> None:
    told.store("xylophone of the first", 1)
    told.store("xylophone of the second", 2)
    told.events.append(SessionErased(session_id=1, key_id=None, erased_at=7, counts=ErasedCounts()))
    db = opened(told)
    assert [number for number, _ in found(db, "xylophone first second")] == [2]
    assert found(db, "xylophone first", at=4) == [(2, found(db, "xylophone first", at=4)[0][1])]
    db.execute("INSERT INTO memory_index(memory_index) VALUES ('integrity-check')")
    terms = db.execute("SELECT count(*) FROM memory_index WHERE memory_index MATCH 'first'").fetchone()
    assert terms == (0,)


def test_common_words_alone_find_something(
    told: Told, opened: Callable[[Told], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.memory_search._COMMON", 5)
    for number in range(20):
        told.store(f"error in file {number}")
    told.store("an error and nothing else")
    db = opened(told)
    assert len(found(db, "error file")) == 10
    assert found(db, "error 17")[0][0] == 18
    assert found(db, "error file", session_id=1)[0][1] > 0


def test_near_duplicates_are_told(told: Told, opened: Callable[[Told], sqlite3.Connection]) -> None:
    text = "The staging database of the billing service and its replica in the second region listen behind port number"
    told.store(f"{text} 5433")
    told.store(f"{text} 5434")
    told.store("Something else altogether")
    db = opened(told)
    assert [number for number, _ in near_duplicates(db, 2, 1, at=100)] == [1]
    assert near_duplicates(db, 3, 1, at=100) == near_duplicates(db, 9, 1, at=100) == []
    assert (cosine({}, {"a": 1}), jaccard({}, {})) == (0.0, 0.0)
    assert cosine({"a": 1, "b": 1}, {"a": 1, "b": 1}) == pytest.approx(1)
    assert jaccard({"a": 1}, {"a": 1, "b": 2}) == 0.5


def test_near_duplicates_are_found_among_many_without_a_look_at_each(
    opened: Callable[[Told], sqlite3.Connection],
) -> None:
    """All share most of their words; what one more costs does not grow with them."""

    def text(number: int) -> str:
        return f"Handler {number} of the billing service writes into table {number * 7} behind port {9_000 + number}"

    def statements_of(db: sqlite3.Connection, number: int) -> int:
        seen: list[str] = []
        db.set_trace_callback(seen.append)
        near = near_duplicates(db, number, 1, at=10_000)
        db.set_trace_callback(None)
        assert [each for each, _ in near] == [1]
        return len(seen)

    costs: list[int] = []
    for many in (150, 600):
        each = Told()
        for number in range(1, many + 1):
            each.store(text(number))
        last = each.store(f"{text(1)}, says Ada")
        costs.append(statements_of(opened(each), last))
    assert costs[0] == costs[1]


_HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ['"', '""', "'", "NEAR(a b)", "a AND", "NOT", "col:x", "a*", "^a", "-", "\0", "the of", "( OR", "{x"]
    ),
    st.text(alphabet='"*():^-\0 aN\u0301é漢🦊', max_size=40),
)
_DB = Told()
_DB.store("a text about foxes \0 with everything: é 漢字 🦊 NEAR(a b)")
_TABLES = _DB.tables()


@settings(deadline=None, max_examples=150)
@given(_HOSTILE)
def test_no_query_is_a_syntax_error(query: str) -> None:
    assert len(search_memories(_TABLES, WORDS, query, at=1_000, limit=5)) <= 1
    assert len(words_of(query)) <= 32


def test_a_long_query_is_answered(told: Told, opened: Callable[[Told], sqlite3.Connection]) -> None:
    told.store("needle in the haystack")
    assert found(opened(told), "needle " + " ".join(f"word{number}" for number in range(1_000)))[0][0] == 1
    assert found(opened(told), "x" * 8_192) == []
