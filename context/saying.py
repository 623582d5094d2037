"""Whether a sentence says nothing that another one does not say, too. Without a model, and so as never to take what
differs in a number, a name, a negation or an order for the same: rather two sentences that mean the same than one fact
less."""

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:[.\-/:'\u2019@]\w+)*|[^\w\s.,;:!?\"'\u2019()\[\]{}`*]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'(`A-ZÀ-Ý0-9])")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+")
_FILLING_WORDS = "a an the please le la les"
_FILLING = frozenset(_FILLING_WORDS.split())
# of a sentence that has one of them more, it is not known that it says what the other one says
_LIMITING_WORDS = (
    "not no nor never none nobody nothing without cannot except only unless until if when while before after"
    " during instead rather but or else than however although always must may might should could would can will"
    " used was were had old former formerly once deprecated in on at for from to by with of over under about"
    " against into via per ne pas jamais aucun aucune sans sauf seulement sinon si quand avant après pendant"
    " toujours ou mais dans sur à pour de du des par avec vers"
)
_LIMITING = frozenset(_LIMITING_WORDS.split())


def sentences(text: str) -> list[str]:
    """In their order, as they were written."""
    return [part for line in text.splitlines() for part in _SENTENCE.split(line) if part.strip()]


def words_of(sentence: str) -> tuple[str, ...]:
    """As they are compared: without case, articles and punctuation."""
    bare = _BULLET.sub("", sentence, count=1) if _BULLET.match(sentence) else sentence
    found = _WORD.findall(bare.casefold().replace("\u2019", "'"))
    return tuple(word for word in found if word not in _FILLING)


class Known:
    """What was said so far, found by the rarest word of what is asked about."""

    def __init__(self, text: str) -> None:
        self._holding: dict[str, list[tuple[str, ...]]] = {}
        for sentence in sentences(text):
            self.says(sentence)

    def says(self, sentence: str) -> bool:
        """Whether it, or more, was said; it is from now on. True for what has no words."""
        words = words_of(sentence)
        if not words:
            return True
        holding = min((self._holding.get(word, []) for word in words), key=len)
        if any(said(words, other) for other in holding):
            return True
        for word in set(words):
            self._holding.setdefault(word, []).append(words)
        return False


def said(sentence: Sequence[str], other: Sequence[str]) -> bool:
    """Whether `other` has all words of `sentence`, in their order, and none more that limits or denies what it says."""
    rest = iter(other)
    if not all(word in rest for word in sentence):
        return False
    more = Counter(other) - Counter(sentence)
    return not any(word in _LIMITING or word.endswith("n't") or not word[0].isalnum() for word in more)
