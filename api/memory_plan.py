"""What compressing memories would put in the place of which. Pure.

`token`: each longer memory is said shorter. `semantic`: one takes the place of those of its session that say nearly the
same; its text is the longest of theirs, with the sentences of the others that it does not say. So nothing is lost that
differs in a number, a name or a negation, and where that saves nothing, they stay as they are.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from context.saying import Known, sentences
from context.shorter import Count, shorter
from projections.memory_lists import MemoryRow
from projections.memory_similarity import cosine

Strategy = Literal["token", "semantic"]
_LONG = 40  # tokens: shorter memories are left as they are
_LEAST_KEPT, _MOST_KEPT = 0.1, 0.9
_MOST_BYTES = 4 << 20  # of texts; what is beyond is left for the next time


class Source(msgspec.Struct, frozen=True):
    row: MemoryRow
    counts: dict[str, int]


class Merged(msgspec.Struct, frozen=True):
    """`text` takes the place of `sources`, the first of which says what it is."""

    text: str
    tokens: int
    sources: tuple[MemoryRow, ...]


class Plan(msgspec.Struct, frozen=True):
    """`memories` were looked at; tokens of all of them."""

    memories: int
    tokens_before: int
    tokens_after: int
    merges: list[Merged]


def plan(sources: Sequence[Source], strategy: Strategy, threshold: float, count: Count) -> Plan:
    looked = _bounded(sources)
    made = _shortened(looked, threshold, count) if strategy == "token" else _merged(looked, threshold, count)
    before = sum(each.row.tokens for each in looked)
    saved = sum(sum(row.tokens for row in each.sources) - each.tokens for each in made)
    return Plan(len(looked), before, before - saved, made)


def _bounded(sources: Sequence[Source]) -> list[Source]:
    found, room = [], _MOST_BYTES
    for each in sources:
        room -= len(each.row.content or "")
        if each.row.content and room >= 0:
            found.append(each)
    return found


def _shortened(sources: Sequence[Source], threshold: float, count: Count) -> list[Merged]:
    """`threshold` is the share of its tokens that a memory keeps."""
    ratio = min(max(threshold, _LEAST_KEPT), _MOST_KEPT)
    found: list[Merged] = []
    for each in sources:
        if each.row.tokens > _LONG and each.row.origin != "compressed":
            text = shorter(each.row.content or "", ratio, count, aware=True)
            tokens = count(text)
            if tokens < each.row.tokens:
                found.append(Merged(text, tokens, (each.row,)))
    return found


def _merged(sources: Sequence[Source], threshold: float, count: Count) -> list[Merged]:
    """`threshold` is how far apart (1 less the cosine of their words) those may be that say the same."""
    found: list[Merged] = []
    for session_id in dict.fromkeys(each.row.session_id for each in sources):
        own = [each for each in sources if each.row.session_id == session_id]
        left = list(own)
        while left:
            first, *left = left
            same = [each for each in left if cosine(first.counts, each.counts) >= 1 - threshold]
            left = [each for each in left if each not in same]
            merged = _one(first, same, count) if same else None
            if merged is not None:
                found.append(merged)
    return found


def _one(first: Source, same: Sequence[Source], count: Count) -> Merged | None:
    """None where nothing would be saved."""
    rows = sorted(
        (each.row for each in (first, *same)), key=lambda row: (-row.access_count, -len(row.content or ""), row.id)
    )
    longest = max(rows, key=lambda row: (len(row.content or ""), -row.id))
    lines = (longest.content or "").splitlines()
    known = Known(longest.content or "")
    for row in rows:
        lines += [each for each in sentences(row.content or "") if not known.says(each)]
    text = "\n".join(lines)
    tokens = count(text)
    return Merged(text, tokens, tuple(rows)) if tokens < sum(row.tokens for row in rows) else None
