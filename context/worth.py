"""What replacing old messages is worth with a provider that caches prefixes.

A cached token costs a fraction of a new one. Replacing a message saves its tokens in each request to come, at the
cached price; but all that stands behind it must be read anew, once, at the full price less the cached one.
"""

from collections.abc import Sequence

from context.replacements import Replacement

_GOES_ON = 0.6  # a conversation is expected to go on for so much of the requests that it has had,
_MOST_TURNS = 40  # and for no more than these


def cached_behind(tokens: Sequence[int], fresh: int) -> list[int]:
    """For each message, the tokens from it on that the provider has in its cache; the last `fresh` messages have not
    gone upstream yet."""
    old = len(tokens) - fresh
    behind = [0] * (len(tokens) + 1)
    for index in range(len(tokens) - 1, -1, -1):
        behind[index] = behind[index + 1] + (tokens[index] if index < old else 0)
    return behind


def best_batch(
    found: list[Replacement], ratio: float, behind: Sequence[int], turns: int, least: int
) -> tuple[list[Replacement], float]:
    """The rest of `found` (in the order of the messages) that gains the most, and its gain in tokens of full price.
    Empty where none gains, or saves `least` tokens. `turns` are the requests so far."""
    to_come = min(turns * _GOES_ON, _MOST_TURNS)
    best, start, saved = 0.0, len(found), 0
    for number in range(len(found) - 1, -1, -1):
        saved += found[number].tokens_before - found[number].tokens_after
        again = behind[found[number].index] - saved
        gain = saved * ratio * to_come - (1 - ratio) * max(again, 0)
        if gain > best and saved >= least:
            best, start = gain, number
    return found[start:], best
