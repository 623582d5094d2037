"""The words of a text that name something: identifiers of code, paths and long numbers."""

import re
from collections import Counter

_WORD = re.compile(
    r"(?<![\w.\-@~/])(?:[\w.\-@~]*/)+[\w.\-@]+"  # paths
    r"|[A-Za-z_][A-Za-z0-9_]{3,}(?:\.[A-Za-z]{1,5}\b)?"
    r"|(?<![\w.])\d{3,}(?![\w.])"
)
_MOST = 4_000  # words of one text


def naming_words(text: str) -> Counter[str]:
    """How often each occurs, in the order of their first occurrence. Plain words of prose are left out."""
    found: Counter[str] = Counter()
    for word in _WORD.findall(text):
        if _names(word):
            found[word] += 1
            if len(found) >= _MOST:
                break
    return found


def _names(word: str) -> bool:
    if "/" in word or "." in word or word.isdigit():
        return True
    if "_" in word[1:-1] or any(char.isdigit() for char in word):
        return True
    rest = word[1:]
    return rest != rest.lower() and word != word.upper()
