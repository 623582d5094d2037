"""How much alike texts are, by their words."""

import math
import sqlite3
from collections.abc import Mapping

import msgspec

from projections.memory_search import STOP_WORDS, counts_of, sharing_rare_words, words_of

NEARLY_THE_SAME = 0.9
_MOST = 10
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode


def telling(counts: Mapping[str, int]) -> dict[str, int]:
    """The words that say what a text is about; all of them where there are no such."""
    found = {word: count for word, count in counts.items() if _tells(word)}
    return found or dict(counts)


def _tells(word: str) -> bool:
    return (len(word) > 3 and word not in STOP_WORDS) or any(char.isdigit() for char in word)


def cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Of two texts' weighted words; 0 where either has none."""
    few, many = (one, other) if len(one) < len(other) else (other, one)
    product = sum(weight * many[word] for word, weight in few.items() if word in many)
    lengths = math.sqrt(_square(one) * _square(other))
    return product / lengths if lengths else 0.0


def jaccard(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The share of their words that both have."""
    every = len(one.keys() | other.keys())
    return len(one.keys() & other.keys()) / every if every else 0.0


def near_duplicates(db: sqlite3.Connection, memory_id: int, session_id: int, *, at: int) -> list[tuple[int, float]]:
    """Other memories of the session that say nearly the same, with their cosine, the nearest first. They are found by
    the rarest of the memory's first words: texts so near share most of them."""
    query = "SELECT position, preview, terms FROM memories WHERE memory_id = ?"
    row = db.execute(query, (memory_id,)).fetchone()
    if row is None or row[2] is None:
        return []
    own = telling(_decode_counts(row[2]))
    every = words_of(row[1] or "")
    near: list[tuple[int, float]] = []
    for position in sharing_rare_words(db, [word for word in every if _tells(word)] or every, session_id, at=at):
        found = counts_of(db, position, at=at)
        if found is None or found[0] == memory_id:
            continue
        alike = round(cosine(own, telling(found[1])), 4)
        if alike >= NEARLY_THE_SAME:
            near.append((found[0], alike))
    return sorted(near, key=lambda pair: (-pair[1], pair[0]))[:_MOST]


def _square(weights: Mapping[str, float]) -> float:
    return sum(weight * weight for weight in weights.values())
