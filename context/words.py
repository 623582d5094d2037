"""The words of a text that name something: identifiers of code, paths and long numbers."""

import re
from collections import Counter
from itertools import islice

_WORD = re.compile(
    r"(?<![\w.\-@~/])(?:[\w.\-@~]*/)+[\w.\-@]+"  # paths
    r"|[A-Za-z_][A-Za-z0-9_]{3,}(?:\.[A-Za-z]{1,5}\b)?"
    r"|(?<![\w.])\d{3,}(?![\w.])"
)
# a path or file, a digit, snake_case
_MARKED = re.compile(r"[/.0-9]|._.").search
# camelCase, HTTPName; from the beginning, and so written that a long word is walked through once
_CASED = re.compile(r"[^a-z]*[a-z].*[A-Z]|.[^A-Z]*[A-Z].*[a-z]").match
_LONGEST = 200  # characters: what is longer is data
_MOST = 4_000  # words of one text


def naming_words(text: str) -> Counter[str]:
    """How often each occurs, in the order of their first occurrence. Plain words of prose are left out."""
    every = Counter(_WORD.findall(text))
    found: Counter[str] = Counter()
    dict.update(found, {word: every[word] for word in islice(filter(_names, every), _MOST)})  # Counter's own adds up
    return found


def _names(word: str) -> bool:
    return len(word) <= _LONGEST and (_MARKED(word) is not None or _CASED(word) is not None)
