"""Finding memories by their words.

The index of SQLite finds candidates, best first; how good each is, is worked out here, from what there was at the
position that is asked about. So an answer about the past stays the same, whatever is stored later.

**Score.** BM25 (k1 1.2, b 0.75; a word's weight is ln(1 + (N - n + 0.5) / (n + 0.5)) for n of N memories), as the share
of what a memory of average length reaches that holds every word of the query once; 1 at most.
"""

import math
import re
import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from projections.memories import scope_of
from projections.memory_lists import MemoryRow, memories_at, scopes
from projections.memory_totals import memory_totals
from projections.words import Words

_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 32
_COMMON = 20_000  # memories: more are not ranked for one query
_CANDIDATES = 128
_RARE, _LEAST_RARE, _SHARING = 64, 3, 32
_MOST_CANDIDATES = 4_096
_K1, _B = 1.2, 0.75
_COUNTS = (  # of a memory that is there
    "SELECT m.terms, m.words, m.memory_id FROM memories m JOIN memory_versions v ON v.memory_id = m.memory_id"
    " WHERE m.position = :position AND v.gone IS NULL AND v.from_position <= :at"
    " AND (v.to_position IS NULL OR v.to_position > :at)"
)
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode
# words that say nothing of what is asked for; left out unless there are no others
_STOP_WORDS = (
    "a about after all also am an and any are as at be because been before being but by can could did do does doing"
    " for from had has have having he her here him his how i if in into is it its just me more most my no not of on or"
    " other our out over own she should so some such than that the their them then there these they this those to too"
    " under up us very was we were what when where which while who whom why will with would you your"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())


class Term(msgspec.Struct, frozen=True):
    """A word of a query: as the index is asked for it, its stems, and how many memories hold it (up to a bound)."""

    phrase: str
    stems: tuple[str, ...]
    memories: int


class Scored(msgspec.Struct, frozen=True):
    """The memory that was stored by event `position`."""

    position: int
    score: float


class Hit(msgspec.Struct, frozen=True):
    memory: MemoryRow
    score: float


class _Corpus(msgspec.Struct, frozen=True):
    """How many memories were stored up to a position, and how long they are on average."""

    memories: int
    average: float

    def weight(self, term: Term) -> float:
        return math.log(1 + (self.memories - term.memories + 0.5) / (term.memories + 0.5))


def search_memories(
    db: sqlite3.Connection,
    words: Words,
    query: str,
    *,
    at: int,
    session_id: int | None = None,
    limit: int,
    threshold: float = 0.0,
) -> list[Hit]:
    """The best first; of equal ones the newest. None where the query holds no word."""
    found = scored_by_words(db, words, query, at=at, session_id=session_id, limit=limit)
    return hits(db, [each for each in found if each.score >= threshold][:limit], at=at)


def hits(db: sqlite3.Connection, found: Sequence[Scored], *, at: int) -> list[Hit]:
    """With their memories, in the same order."""
    rows = memories_at(db, [each.position for each in found], at=at)
    return [Hit(rows[each.position], each.score) for each in found if each.position in rows]


def scored_by_words(
    db: sqlite3.Connection, words: Words, query: str, *, at: int, session_id: int | None = None, limit: int
) -> list[Scored]:
    """The best first, at least `limit` where there are so many."""
    terms = _terms(db, words, query, at)
    if not terms:
        return []
    within = scopes(db, session_id, at=at) if session_id is not None else None
    most = _CANDIDATES
    while True:
        positions = _candidates(db, terms, within, session_id, at, max(most, 2 * limit))
        found = [each for each in _scored(db, terms, positions, at) if each.score > 0]
        if len(found) >= limit or len(positions) < most or most >= _MOST_CANDIDATES:
            break  # else those that are gone stand before those that are there
        most *= 8
    return sorted(found, key=lambda each: (-each.score, -each.position))


def words_of(query: str) -> list[str]:
    """The distinct words that a query is about, in their order."""
    every = list(dict.fromkeys(_WORD.findall(query.casefold())))
    return ([word for word in every if word not in STOP_WORDS] or every)[:_MOST_WORDS]


def sharing_rare_words(db: sqlite3.Connection, words: Sequence[str], session_id: int, *, at: int) -> list[int]:
    """Positions of memories of a session that hold some of the rarest of these words: those that hold all of these,
    then the newest. However many there are, few are looked at."""
    counted = sorted((_count(db, f'"{word}"', at, _RARE), number, word) for number, word in enumerate(words))
    rarest = [f'"{word}"' for _, _, word in counted[: max(_LEAST_RARE, len(words) // 4 + 1)]]
    if not rarest:
        return []
    scope = _scope(scopes(db, session_id, at=at))
    every = _newest(db, f"content : ({' AND '.join(rarest)}){scope}", at, _SHARING)
    some = _newest(db, f"content : ({' OR '.join(rarest)}){scope}", at, _SHARING)
    return list(dict.fromkeys((*every, *some)))


def counts_of(db: sqlite3.Connection, position: int, *, at: int) -> tuple[int, dict[str, int]] | None:
    """The memory that was stored by an event, and how often it holds each stem; None where it is gone."""
    row = db.execute(_COUNTS, {"position": position, "at": at}).fetchone()
    return (int(row[2]), _decode_counts(row[0])) if row is not None and row[0] else None


def _terms(db: sqlite3.Connection, words: Words, query: str, at: int) -> list[Term]:
    surface = words_of(query)
    by_stems = {stems: f'"{word}"' for word, stems in zip(surface, words.stems(surface), strict=True) if stems}
    return [Term(phrase, stems, _count(db, phrase, at, _COMMON)) for stems, phrase in by_stems.items()]


def _count(db: sqlite3.Connection, phrase: str, at: int, most: int) -> int:
    """How many memories hold it; one more than `most` stands for all that are more."""
    inner = "SELECT 1 FROM memory_index WHERE memory_index MATCH ? AND rowid <= ? LIMIT ?"
    query = f"SELECT count(*) FROM ({inner})"
    return int(db.execute(query, (f"content : {phrase}", at, most + 1)).fetchone()[0])


def _candidates(
    db: sqlite3.Connection,
    terms: Sequence[Term],
    within: Sequence[int] | None,
    session_id: int | None,
    at: int,
    most: int,
) -> list[int]:
    """Positions of memories that may be the best, by the words that tell most."""
    known = sorted((term for term in terms if term.memories), key=lambda term: term.memories)
    if not known:
        return []
    scope = ""
    if within is not None:
        scope = _scope(within)
        if memory_totals(db, session_id, at=at).total <= _COMMON:
            return _ranked(db, _any(known) + scope, at, most)
    if known[0].memories > _COMMON:
        both = _newest(db, f"content : ({' AND '.join(term.phrase for term in known)}){scope}", at)
        return list(dict.fromkeys((*both, *_newest(db, _any(known[:1]) + scope, at))))
    return _ranked(db, _any(list(_rare(known))) + scope, at, most)


def _rare(known: Sequence[Term]) -> Iterator[Term]:
    """Of terms, the rarest first, those that have to be looked at: ranking what everybody says takes long."""
    room = _COMMON
    for term in known:
        room -= term.memories
        if room < 0:
            return
        yield term


def _scope(within: Sequence[int]) -> str:
    return f" AND scope : ({' OR '.join(scope_of(number) for number in within)})"


def _any(terms: Sequence[Term]) -> str:
    return f"content : ({' OR '.join(term.phrase for term in terms)})"


def _ranked(db: sqlite3.Connection, match: str, at: int, most: int) -> list[int]:
    rows = db.execute(
        "SELECT rowid FROM memory_index WHERE memory_index MATCH ? AND rowid <= ? AND rank MATCH 'bm25(1.0, 0.0)'"
        " ORDER BY rank LIMIT ?",
        (match, at, most),
    )
    return [int(row[0]) for row in rows]


def _newest(db: sqlite3.Connection, match: str, at: int, most: int = 1_000) -> list[int]:
    query = "SELECT rowid FROM memory_index WHERE memory_index MATCH ? AND rowid <= ? ORDER BY rowid DESC LIMIT ?"
    return [int(row[0]) for row in db.execute(query, (match, at, most))]


def _scored(db: sqlite3.Connection, terms: Sequence[Term], positions: Sequence[int], at: int) -> list[Scored]:
    corpus = _corpus(db, at)
    best = sum(corpus.weight(term) for term in terms)
    found: list[Scored] = []
    for position in positions:
        row = db.execute(_COUNTS, {"position": position, "at": at}).fetchone()
        if row is not None:
            found.append(Scored(position, _score(corpus, terms, best, row[0], row[1])))
    return found


def _score(corpus: _Corpus, terms: Sequence[Term], best: float, stored: str | None, length: int) -> float:
    counts = _decode_counts(stored) if stored else {}
    norm = _K1 * (1 - _B + _B * length / corpus.average)
    total = 0.0
    for term in terms:
        times = min(counts.get(stem, 0) for stem in term.stems)
        total += corpus.weight(term) * times * (_K1 + 1) / (times + norm)
    return round(min(total / best, 1.0), 4)


def _corpus(db: sqlite3.Connection, at: int) -> _Corpus:
    query = "SELECT number, words_so_far FROM memories WHERE position <= ? ORDER BY position DESC LIMIT 1"
    row = db.execute(query, (at,)).fetchone() or (0, 0)
    return _Corpus(row[0], max(row[1] / row[0], 1.0) if row[0] else 1.0)
