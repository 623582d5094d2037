"""Counting tokens offline. Every figure from here is an estimate and is marked so where it is shown.

The vocabulary (o200k_base, of today's OpenAI models) comes inside the wheel of splintr-rs; other vendors' tokenizers
differ by some percent. The `TextCounter` seam lets another library take its place.
"""

from typing import Protocol

import splintr

SLICE = 50_000  # characters: a bounded stretch of work that holds the interpreter lock, about 2-10 ms
_WARM_UP = "The first larger text is ten times slower, because its automaton is still being built. " * 200


class TextCounter(Protocol):
    def __call__(self, text: str, /) -> int:
        """Tokens of `text`, read as ordinary text: `<|endoftext|>` has no special meaning."""
        ...


class SplintrCounter:
    """Counts with splintr's o200k_base. Texts above 50,000 characters are counted in slices: the sum may differ from
    the whole by a token a slice, and memory and lock time stay bounded."""

    def __init__(self) -> None:
        self._tokenizer = splintr.Tokenizer.from_pretrained("o200k_base")

    def __call__(self, text: str) -> int:
        encode = self._tokenizer.encode_ordinary
        if len(text) <= SLICE:
            return len(encode(_encodable(text)))
        return sum(len(encode(_encodable(text[at : at + SLICE]))) for at in range(0, len(text), SLICE))

    def warm_up(self) -> None:
        """Spend the one-time cost of the first larger text, about 0.3 s; call it at the start."""
        self(_WARM_UP)
        self("a" * 2_000)


def _encodable(text: str) -> str:
    """Unpaired surrogates, which JSON may carry, are counted as replacement characters."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
