"""Finding memories: how many answers are among the first ten, and how long a search takes in 100,000.

Questions and answers are made up, the same ones each time: what is noted about services of a company, asked for partly
in other words, with words around each. Every answer names its service, so this is easier than what people write. Beside
the search stand `LIKE '%question%'` and the cosine of word counts over all texts.
`python -m benchmarks.memory [how many memories]`
"""

import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from benchmarks.projections import Empty
from projections import tracking
from projections.applying import Progress, apply_batch
from projections.memories import MEMORIES
from projections.memory_search import search_memories
from projections.memory_similarity import cosine
from projections.sessions import SESSIONS
from projections.words import Words
from schema.blobs import content_ref
from schema.memory import MemoryStored
from schema.recorded import Recorded

_PAIRS, _QUERIES, _BATCH, _FIRST = 1_800, 200, 2_000, 10
_FIRSTS = ("amber", "birch", "cedar", "delta", "ember", "flint", "gamma", "harbor", "indigo", "jasper", "kite", "lunar")
_SECONDS = ("billing", "search", "catalog", "ledger", "mail", "report", "image", "session", "order", "audit", "stock")
_KINDS = ("service", "worker", "gateway", "job", "cache", "queue")
_TOPICS = (  # what is noted, and what one asks for: the same word, or another
    ("listens on port {n}", ("which port does {s} use", "where can I reach {s}, what number")),
    ("is owned by the team of {p}", ("who owns {s}", "who is responsible for {s}")),
    ("is deployed from branch release-{n}", ("which branch is {s} deployed from", "what do we ship {s} from")),
    ("keeps its secrets in vault path apps/{n}", ("where are the secrets of {s}", "where do credentials of {s} live")),
    ("times out after {n} milliseconds", ("when does {s} time out", "how long may a call of {s} take")),
    ("writes its logs to bucket archive-{n}", ("where are the logs of {s}", "where does {s} put what it prints")),
    ("is backed up every {n} minutes", ("how often is {s} backed up", "how old can a copy of {s} be")),
    ("needs python {n} and postgres", ("what does {s} need to run", "which interpreter is needed for {s}")),
)
_PEOPLE = ("ada", "bob", "cleo", "dan", "eva", "finn", "gus", "hana", "ivo", "june", "karl", "lena")
_FILLER = (
    "decided in the meeting because of the outage, see the notes of the review for what else was said",
    "as the user asked while we were at the tests, and it should stay so until the next release",
    "found out after a long search through the code of the old system, nobody had written it down",
)


class Pair(msgspec.Struct, frozen=True):
    question: str
    answer: str


def pairs(count: int) -> list[Pair]:
    chance = random.Random(7)
    subjects = [f"{one} {two} {kind}" for one in _FIRSTS for two in _SECONDS for kind in _KINDS]
    every = [(subject, topic) for subject in subjects for topic in _TOPICS]
    return [_pair(chance, subject, topic) for subject, topic in chance.sample(every, count)]


def _pair(chance: random.Random, subject: str, topic: tuple[str, tuple[str, str]]) -> Pair:
    said, asked = topic
    answer = said.format(n=chance.randint(1_000, 9_999), p=chance.choice(_PEOPLE))
    question = chance.choice(asked).format(s=f"the {subject}")
    return Pair(f"{question}?", f"The {subject} {answer}, {chance.choice(_FILLER)}.")


def noise(count: int) -> Iterator[str]:
    """Texts of 30 words that are as often as words of a language are."""
    chance = random.Random(11)
    words = [f"{one}{two}" for one in _FIRSTS for two in _SECONDS] + [f"word{number}" for number in range(20_000)]
    weights = [1 / (rank + 10) for rank in range(len(words))]
    for _ in range(count):
        yield " ".join(chance.choices(words, weights, k=30))


def tables(texts: Sequence[str]) -> sqlite3.Connection:
    """Read tables that hold the texts; the memory of text n is stored by event n + 1."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    projections = (SESSIONS, MEMORIES)
    tracking.prepare(db, projections, Empty())
    bodies = [text.encode() for text in texts]
    progress = [
        Progress(each, 0, contents=lambda at: {content_ref(bodies[at - 1]): bodies[at - 1]}) for each in projections
    ]
    for first in range(0, len(texts), _BATCH):
        last = min(first + _BATCH, len(texts))
        apply_batch(db, progress, [_stored(index, bodies[index]) for index in range(first, last)])
    return db


def _stored(index: int, body: bytes) -> Recorded:
    ref = content_ref(body)
    event = MemoryStored(
        session_id=index % 500 + 1,
        memory_id=index + 1,
        memory_type="episodic",
        content_ref=ref,
        hash=ref[:16],
        tokens=30,
    )
    return Recorded(
        position=index + 1, stream="memory", version=index + 1, type="MemoryStored", type_version=1,
        session_id=event.session_id, exchange_id=None, timestamp=1_700_000_000_000 + index, actor="api", by=None,
        correlation_id=None, causation_position=None, hash=f"{index:064x}", prev_hash="0" * 64, event=event,
    )  # fmt: skip


Find = Callable[[str], list[int]]


def recall(found: Find, asked: Sequence[Pair]) -> float:
    """The share of questions whose answer is among the first ten."""
    return sum(index in found(pair.question)[:_FIRST] for index, pair in enumerate(asked)) / len(asked)


def by_search(db: sqlite3.Connection, words: Words, at: int) -> Find:
    def found(question: str) -> list[int]:
        return [hit.memory.id - 1 for hit in search_memories(db, words, question, at=at, limit=_FIRST)]

    return found


def by_like(texts: Sequence[str]) -> Find:
    return lambda question: [index for index, text in enumerate(texts) if question.casefold() in text.casefold()]


def by_counts(texts: Sequence[str]) -> Find:
    counts = [Counter(text.casefold().split()) for text in texts]

    def found(question: str) -> list[int]:
        asked = Counter(question.casefold().strip("?").split())
        scores = [cosine(asked, each) for each in counts]
        return sorted(range(len(scores)), key=lambda index: -scores[index])[:_FIRST]

    return found


def latencies(find: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    """Milliseconds, sorted."""
    taken = []
    for question in questions:
        begun = time.perf_counter()
        find(question)
        taken.append((time.perf_counter() - begun) * 1_000)
    return sorted(taken)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    words, asked = Words(), pairs(_PAIRS)
    texts = [pair.answer for pair in asked]
    db = tables(texts)
    few = asked[:300]
    print(f"{_PAIRS:,} made-up questions and answers, share of answers among the first {_FIRST}:")
    print(f"  search {recall(by_search(db, words, len(texts)), asked):.3f}")
    print(
        f"  LIKE {recall(by_like(texts), few):.3f}, cosine of word counts {recall(by_counts(texts), few):.3f} (of 300)"
    )
    db.close()
    begun = time.process_time()
    every = [*texts, *noise(max(count - len(texts), 0))]
    db = tables(every)
    spent = (time.process_time() - begun) / len(every) * 1e6
    print(f"{len(every):,} memories: {spent:.0f} us CPU each to put into tables")
    questions = [pair.question for pair in asked[:_QUERIES]] + [
        " ".join(text.split()[:8]) for text in every[-_QUERIES:]
    ]
    for name, session_id in (("all", None), ("of one session", 7)):
        cpu = time.process_time()
        taken = latencies(_searching(db, words, len(every), session_id), questions)
        spent = (time.process_time() - cpu) / len(questions) * 1_000
        print(f"  search {name}: p50 {_at(taken, 0.5):.1f}, p99 {_at(taken, 0.99):.1f} ms, {spent:.1f} ms CPU")
    like = latencies(lambda question: [text for text in every if question in text], questions[:20])
    print(f"  scan with LIKE in memory: p50 {_at(like, 0.5):.1f} ms, finds nothing")
    print(f"  recall in {len(every):,}: {recall(by_search(db, words, len(every)), asked[:_QUERIES]):.3f}")
    db.close()


def _searching(db: sqlite3.Connection, words: Words, at: int, session_id: int | None) -> Callable[[str], object]:
    return lambda question: search_memories(db, words, question, at=at, session_id=session_id, limit=_FIRST)


def _at(taken: Sequence[float], share: float) -> float:
    return taken[min(int(len(taken) * share), len(taken) - 1)]


if __name__ == "__main__":
    main()
