"""How well parts of a text answer a question: BM25 over the words of both. Pure."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

_WORD = re.compile(r"[A-Za-z]+|[0-9]+|[^\W\d_]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_K1, _B = 1.2, 0.75
_OFTEN = 256
_COMMON = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "be", "by", "do", "for", "from", "how", "in", "into", "is", "it", "its",
        "of", "on", "or", "that", "the", "this", "to", "was", "what", "when", "where", "which", "why", "with", "find",
        "fix", "show", "me", "all", "any", "can", "des", "du", "et", "la", "le", "les", "un", "une", "que", "qui",
    )
)  # fmt: skip


def words(text: str) -> list[str]:
    """Lower case; parts of camelCase and snake_case words beside the whole."""
    found = []
    for word in _WORD.findall(text):
        whole = word.lower()
        if whole in _COMMON:
            continue
        found.append(_stem(whole))
        parts = _HUMP.findall(word)
        if len(parts) > 1:
            found += [_stem(part.lower()) for part in parts if part.lower() not in _COMMON]
    return found


def scores(parts: Sequence[str], question: str, check: Callable[[], None] = lambda: None) -> list[float]:
    """Of each part, 0 where it shares no word with the question. `check` is called now and then, and may raise."""
    wanted, counted = set(words(question)), list[Counter[str]]()
    for number, part in enumerate(parts):
        if number % _OFTEN == 0:
            check()
        counted.append(Counter(words(part)))
    lengths = [sum(counter.values()) for counter in counted]
    mean = sum(lengths) / len(lengths) if lengths and sum(lengths) else 1.0
    within = Counter(word for counter in counted for word in counter.keys() & wanted)
    weights = {word: math.log(1 + (len(parts) - n + 0.5) / (n + 0.5)) for word, n in within.items()}
    return [
        sum(
            weights[word] * counter[word] * (_K1 + 1) / (counter[word] + _K1 * (1 - _B + _B * length / mean))
            for word in sorted(counter.keys() & wanted)
        )
        for counter, length in zip(counted, lengths, strict=True)
    ]


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
