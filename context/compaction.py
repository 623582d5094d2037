"""Leaving out the turns of a conversation's beginning: a pure plan, from messages to what goes upstream in their place.

Whole turns of the assistant go, each with the results of its calls; system, user and pinned messages stay word for
word, and so does all behind the cut. Each stretch that was left out is followed up by one digest as an assistant's
message, so that roles alternate as before.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from context.cuts import Cut, Item
from context.digest import DETAILS, Detail, digest, hash_of, shortest
from context.messages import PER_MESSAGE, count_message, text_of
from context.tokens import TextCounter
from context.turns import RESULTS, Turns, call_list, role_of, turns
from context.words import naming_words

Reason = Literal["no_messages", "insufficient_messages", "insufficient_tokens", "not_enough_messages_to_summarize"]

CONTINUE = "Continue."
_CARD = 400  # tokens
_MOST_LINES = 10_000  # tokens of all digests
_CHARS_PER_TOKEN = 3.2
_OURS_SHARE = 0.25  # of the context: digests of before take no more, or they are condensed again
_STANDS = ("system", "developer", "user")
_encode = msgspec.json.Encoder().encode


class CompactionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Section [compaction]: the minimums, and what share of the removed tokens is to be saved."""

    target_reduction_ratio: float = 0.6
    min_tokens_to_compact: int = 500
    min_messages_to_compact: int = 6


class Refused(msgspec.Struct, frozen=True):
    reason: Reason
    messages: int
    tokens: int
    min_required: int | None = None


class Output(msgspec.Struct, frozen=True):
    """A tool's output that was left out: where it was, the sha256 of its text, and which tool's."""

    index: int
    hash: str
    tool: str
    tokens: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`inserted` are messages of ours as JSON, each with the index that it goes in front of; `removed` are indexes."""

    cut: int
    removed: tuple[int, ...]
    inserted: tuple[tuple[int, bytes], ...]
    outputs: tuple[Output, ...]
    summary: str
    tokens_before: int
    tokens_after: int
    messages_before: int
    messages_after: int
    system_preserved: int
    recent_preserved: int

    @property
    def saved(self) -> int:
        return self.tokens_before - self.tokens_after

    def stretches(self) -> tuple[tuple[int, int], ...]:
        """`removed` as (from, to)."""
        found: list[tuple[int, int]] = []
        for index in self.removed:
            if found and found[-1][1] == index:
                found[-1] = (found[-1][0], index + 1)
            else:
                found.append((index, index + 1))
        return tuple(found)


def plan(
    items: Sequence[Item],
    cut: Cut,
    settings: CompactionSettings,
    count: TextCounter,
    *,
    pinned: Collection[str] = (),
    force: bool = False,
    summary: str | None = None,
) -> Plan | Refused:
    """What to leave out of a context. `force` waives the minimums; `summary` takes the place of the digests' lines."""
    before = sum(item.tokens for item in items)
    refused = _too_little(items, before, settings) if not items or not force else None
    if refused is not None:
        return refused
    messages = [item.message for item in items]
    found = turns(messages)
    at = found.legal_cut(cut(items), [role_of(message) for message in messages])
    removed = _removed(items, found, at, pinned)
    if not removed:
        return Refused("not_enough_messages_to_summarize", len(items), before)
    made = _made(items, removed, at, settings, count, summary)
    if made.tokens_after >= before:
        return Refused("insufficient_tokens", len(items), before)
    return made


def outputs_of(items: Sequence[Item], removed: Sequence[int]) -> tuple[Output, ...]:
    """The outputs of tools among the removed messages."""
    names: dict[str, str] = {}
    found: list[Output] = []
    for index in removed:
        message = items[index].message
        for call in call_list(message):
            function = call.get("function")
            names[str(call.get("id"))] = str(function.get("name") or "") if isinstance(function, dict) else ""
        content = message.get("content")
        if role_of(message) in RESULTS and isinstance(content, str):
            tool = names.get(str(message.get("tool_call_id"))) or str(message.get("name") or "")
            found.append(Output(index, hash_of(content), tool[:200], items[index].whole))
    return tuple(found)


def _too_little(items: Sequence[Item], tokens: int, settings: CompactionSettings) -> Refused | None:
    count = len(items)
    if not count:
        return Refused("no_messages", 0, 0, settings.min_messages_to_compact)
    if count < settings.min_messages_to_compact:
        return Refused("insufficient_messages", count, tokens, settings.min_messages_to_compact)
    if tokens < settings.min_tokens_to_compact:
        return Refused("insufficient_tokens", count, tokens, settings.min_tokens_to_compact)
    return None


def _removed(items: Sequence[Item], found: Turns, cut: int, pinned: Collection[str]) -> list[int]:
    """Turns go whole, or not at all where one of their messages is pinned; of what belongs to no turn only results
    without a call go. Digests of before go, to be condensed again, only beside others, and where they are too many."""
    pins = {found.owner[index] for index in range(cut) if items[index].ref in pinned} - {None}
    ours = {index for index in range(cut) if items[index].ours}
    removed = _without(items, found, cut, pins | ours, pinned)
    crowded = sum(items[index].tokens for index in ours) > _OURS_SHARE * sum(item.tokens for item in items)
    return _without(items, found, cut, pins, pinned) if removed and crowded else removed


def _without(
    items: Sequence[Item], found: Turns, cut: int, kept: Collection[int | None], pinned: Collection[str]
) -> list[int]:
    """`kept` are the owners of turns that stay."""
    removed: list[int] = []
    for index in range(cut):
        owner, role = found.owner[index], role_of(items[index].message)
        lonely = owner is None and role in RESULTS and items[index].ref not in pinned
        if lonely or (owner is not None and owner not in kept and role not in _STANDS):
            removed.append(index)
    return removed


def _made(
    items: Sequence[Item],
    removed: Sequence[int],
    cut: int,
    settings: CompactionSettings,
    count: TextCounter,
    summary: str | None,
) -> Plan:
    gone = set(removed)
    groups = _groups(removed, cut, gone)
    removed_tokens = sum(items[index].tokens for index in removed)
    budget = int(removed_tokens * (1 - settings.target_reduction_ratio))
    card_room = min(_CARD, budget // 4)
    texts = (
        _digests(items, groups, min(budget - card_room, _MOST_LINES), count)
        if summary is None
        else [*(shortest(len(group)) for _, group in groups[:-1]), summary]
    )
    kept = [items[index].message for index in range(len(items)) if index not in gone]
    texts[-1] += _card(items, removed, kept, texts, card_room)
    inserted = _inserted(items, groups, texts, gone)
    ours = sum(count_message({"role": role, "content": text}, count) for _, role, text in inserted)
    return Plan(
        cut=cut,
        removed=tuple(removed),
        inserted=tuple((before, _encode({"role": role, "content": text})) for before, role, text in inserted),
        outputs=outputs_of(items, removed),
        summary="\n\n".join(texts),
        tokens_before=sum(item.tokens for item in items),
        tokens_after=sum(items[index].whole for index in range(len(items)) if index not in gone) + ours,
        messages_before=len(items),
        messages_after=len(items) - len(removed) + len(inserted),
        system_preserved=sum(role_of(message) in ("system", "developer") for message in kept),
        recent_preserved=len(items) - cut,
    )


def _groups(removed: Sequence[int], cut: int, gone: Collection[int]) -> list[tuple[int, list[int]]]:
    """Stretches that were left out, each with the index of what comes behind it."""
    groups: list[tuple[int, list[int]]] = []
    for index in removed:
        if groups and groups[-1][0] == index:
            groups[-1] = (index + 1, [*groups[-1][1], index])
        else:
            groups.append((index + 1, [index]))
    return groups


def _digests(
    items: Sequence[Item], groups: Sequence[tuple[int, list[int]]], budget: int, count: TextCounter
) -> list[str]:
    """Each as detailed as its share of the budget allows: as much of it as of the tokens that it stands for."""
    whole = max(sum(items[index].tokens for _, group in groups for index in group), 1)
    texts: list[str] = []
    for _, group in groups:
        share = budget * sum(items[index].tokens for index in group) // whole
        first = not any("mask:" in text for text in texts)
        texts.append(_fit(items, group, share, count, first=first))
    return texts


def _fit(items: Sequence[Item], group: Sequence[int], share: int, count: TextCounter, *, first: bool) -> str:
    text = ""
    for detail in DETAILS:
        text = _digest(items, group, detail, first=first)
        if count(text) + PER_MESSAGE <= share:
            return text
    return _fitting(text, len(group), share)


def _digest(items: Sequence[Item], group: Sequence[int], detail: Detail, *, first: bool) -> str:
    chosen = [items[index] for index in group]
    return digest([item.message for item in chosen], [item.whole for item in chosen], detail, first=first)


def _fitting(text: str, messages: int, tokens: int) -> str:
    """The newest lines of a digest that have room, and how many are not there."""
    head, *lines = text.split("\n")
    room = int(tokens * _CHARS_PER_TOKEN) - len(head) - 30
    kept: list[str] = []
    while lines and room - len(lines[-1]) - 1 >= 0:
        kept.insert(0, lines.pop())
        room -= len(kept[0]) + 1
    if not kept:
        return shortest(messages)
    return "\n".join([head, f"[{len(lines)} earlier actions]", *kept] if lines else [head, *kept])


def _inserted(
    items: Sequence[Item], groups: Sequence[tuple[int, list[int]]], texts: Sequence[str], gone: Collection[int]
) -> list[tuple[int, str, str]]:
    """Digests, with a user's message between where two messages of an assistant would meet."""
    found: list[tuple[int, str, str]] = []
    for (behind, group), text in zip(groups, texts, strict=True):
        previous = group[0] - 1
        while previous in gone:
            previous -= 1
        if previous >= 0 and role_of(items[previous].message) == "assistant":
            found.append((behind, "user", CONTINUE))
        found.append((behind, "assistant", text))
        if behind < len(items) and role_of(items[behind].message) == "assistant":
            found.append((behind, "user", CONTINUE))
    return found


def _card(
    items: Sequence[Item], removed: Sequence[int], kept: Sequence[Mapping[str, Any]], texts: Sequence[str], tokens: int
) -> str:
    """Names that stand nowhere else any more, most frequent first."""
    words: Counter[str] = Counter()
    for index in removed:
        for text in _texts(items[index].message):
            words.update(naming_words(text))
    visible = "\n".join([*texts, *(text for message in kept for text in _texts(message))])
    room = int(tokens * _CHARS_PER_TOKEN) - 20
    chosen: list[str] = []
    for word in sorted(words, key=lambda word: (-words[word], word)):
        if room < 8:
            break
        if len(word) + 2 <= room and word not in visible:
            chosen.append(word)
            room -= len(word) + 2
    return f"\n[it names: {', '.join(chosen)}]" if chosen else ""


def _texts(message: Mapping[str, Any]) -> list[str]:
    texts = [text_of(message.get("content"))]
    for call in call_list(message):
        function = call.get("function")
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            texts.append(function["arguments"])
    return texts
