"""What of a conversation goes upstream: a fold over its messages that finds outputs worth replacing.

The fold sees every message once, in order. What it decides is final: a replacement once made stays as it is, because
changing old bytes breaks the provider's prompt cache. Never touched are system, user and assistant messages, calls of
tools, and the newest results, those behind the last assistant message.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from context.messages import text_of
from context.normalizing import normalized
from context.outputs import Kind, kind_of, texts_of
from context.repetition import LineIndex, Source, comparable
from context.replacements import Decision, Known, ReductionSettings, Replacement, Trigger, saved_by
from context.shortening import shortened
from context.window import WindowSettings, placeholder, tells_of_an_error
from context.words import naming_words
from context.worth import best_batch, cached_behind
from schema.blobs import content_ref

Count = Callable[[str], int]

_COMMON = 5  # a word that stands in so many outputs says nothing about any of them
_CHARS_PER_TOKEN = 3.2
_CARD_SHARE, _CARD_LEAST, _CARD_MOST = 0.25, 40, 600  # tokens
_CUT_CARD = 150


class _Output(msgspec.Struct, eq=False):
    """A tool's output. `shown` is what of its text still stands in the context, None once it is masked."""

    number: int
    index: int
    tool: str
    kind: Kind
    raw: str
    hash: str
    tokens: int
    shown: str | None
    words: Counter[str]
    last_use: int
    call_id: str
    turn: int
    referred_by: set[int] = msgspec.field(default_factory=set)
    refers: frozenset[int] = frozenset()


class ContextFold:
    """One conversation. `count` estimates the tokens of a text."""

    def __init__(self, settings: ReductionSettings, count: Count) -> None:
        self._settings, self._count = settings, count
        self.length = 0
        self.size = 0  # tokens of all messages as they came: what the fold holds in memory
        self._tokens: list[int] = []  # of each message, as it goes upstream
        self._outputs: list[_Output] = []
        self._by_index: dict[int, _Output] = {}
        self._calls: dict[str, tuple[str, str]] = {}  # by id: the tool's name and its arguments
        self._holders: dict[str, list[int]] = {}  # a word's outputs
        self._said: set[str] = set()  # words of users and assistants
        self._lines = LineIndex()
        self._waiting: list[_Output] = []  # the newest results: not looked at yet
        self._pending: dict[int, Replacement] = {}  # found, but not worth it yet
        self._taken: dict[int, list[Replacement]] = {}  # decided before, by the length up to the last answer
        self._turns = 0
        self._answered = 0  # the index behind the last assistant message
        self._tail: list[list[str]] = []  # of each message behind it: the words that it was the first to say

    @property
    def answered(self) -> int:
        """How many messages there are up to the last assistant message: what is decided now belongs to these."""
        return self._answered

    @property
    def tokens(self) -> int:
        """Of all messages, as they go upstream."""
        return sum(self._tokens)

    def add(
        self, message: Mapping[str, Any], tokens: int, known: Sequence[Known] = (), *, pinned: bool = False
    ) -> None:
        """One more message; `known` tells how it was replaced before, in order. After a restart the fold over all
        messages, each with what is known of it, comes to the state that it had. A pinned one is never replaced."""
        index, role = self.length, message.get("role")
        if role == "assistant":
            self._turn()
        self.length += 1
        self._tokens.append(tokens)
        self.size += tokens
        if role == "assistant":
            self._answered = self.length
            self._tail.clear()
            self._assistant(message)
            return
        self._tail.append([])
        if role == "tool" and not pinned:
            self._output(index, message, tokens)
            for each in known if index in self._by_index else ():
                self._taken.setdefault(each.at, []).append(msgspec.structs.replace(each.replacement, index=index))
        else:
            new = [word for word in naming_words(text_of(message.get("content"))) if word not in self._said]
            self._said.update(new)
            self._tail[-1] = new

    def rewind(self, length: int) -> bool:
        """Forget the messages from `length` on, for a conversation that went another way there. False where that lies
        before the last assistant message: what was decided since cannot be taken back."""
        if length < self._answered:
            return False
        while self.length > length:
            self.length -= 1
            self.size -= self._tokens.pop()  # nothing behind the last answer is replaced
            self._said.difference_update(self._tail.pop())
            output = self._by_index.pop(self.length, None)
            if output is not None:
                self._outputs.pop()
                self._waiting.remove(output)
                for word in output.words:
                    holders = self._holders[word]
                    if holders and holders[-1] == output.number:
                        holders.pop()
        return True

    def _turn(self) -> None:
        """What the request did that the assistant's next message answers."""
        self._look()
        for at in sorted(at for at in self._taken if at <= self.length):
            for replacement in self._taken.pop(at):
                self._take(replacement)

    def decide(self, ratio: float, *, idle: bool, fresh: int) -> Decision:
        """What to replace now: a batch that is worth what the provider then has to read anew. `ratio` is the price of a
        cached token, `idle` says that its cache is cold; the last `fresh` messages have not gone upstream yet."""
        self._turn()
        pending = [self._pending[index] for index in sorted(self._pending)]
        trigger: Trigger = "no_cache" if ratio >= 1 else "idle" if idle else "cache_price"
        if self._settings.window is not None:
            trigger = "window"
            chosen = self._by_age(pending, self._settings.window, ratio, cached_behind(self._tokens, fresh))
        elif idle or ratio >= 1:
            every = self._with_masks(pending, self._stubs())
            chosen = every if saved_by(every) >= self._settings.mask_min_saved else pending
        else:
            chosen = self._worth_it(pending, ratio, cached_behind(self._tokens, fresh))
        for each in chosen:
            self._take(each)
        masked = tuple(each for each in chosen if each.stage == "mask")
        return Decision(tuple(each for each in chosen if each.stage != "mask"), masked, trigger if masked else None)

    def _worth_it(self, pending: list[Replacement], ratio: float, behind: list[int]) -> list[Replacement]:
        """The batch that gains the most, with masks or without."""
        least = self._settings.mask_min_saved
        alone, gain_alone = best_batch(pending, ratio, behind, self._turns, 1)
        hoped = [self._replacement(output, "mask", "") for output in self._maskable()]
        if not best_batch(self._with_masks(pending, hoped), ratio, behind, self._turns, least)[0]:
            return alone  # not even if masks cost nothing: their texts need not be made
        batch, gain = best_batch(self._with_masks(pending, self._stubs()), ratio, behind, self._turns, least)
        return batch if gain >= gain_alone else alone

    def _by_age(
        self, pending: list[Replacement], window: WindowSettings, ratio: float, behind: list[int]
    ) -> list[Replacement]:
        """Every output that is too old, and what is behind the first of them: that is read anew in any case."""
        masks = self._aged(window)
        if not masks:
            return best_batch(pending, ratio, behind, self._turns, 1)[0]
        masked = {each.index for each in masks}
        later = (each for each in pending if each.index > masks[0].index and each.index not in masked)
        return sorted([*masks, *later], key=_index)

    def _aged(self, window: WindowSettings) -> list[Replacement]:
        newest, found = self._newest(), list[Replacement]()
        of_tool: Counter[str] = Counter()
        for output in reversed(self._outputs):
            of_tool[output.tool] += 1
            if output.shown is None or output.index >= newest or self._turns - output.turn <= window.turns:
                continue
            if of_tool[output.tool] <= window.keep_last_k_per_tool or any(map(self._alive, output.referred_by)):
                continue
            if window.keep_errors and tells_of_an_error(output.raw):
                continue
            text = placeholder(window.placeholder, output.call_id, output.tool, output.raw, output.hash)
            stub = self._replacement(output, "mask", text)
            if stub.tokens_after < output.tokens:
                found.append(stub)
        return found[::-1]

    def _with_masks(self, pending: list[Replacement], masks: list[Replacement]) -> list[Replacement]:
        """By index; a mask takes the place of what is less."""
        if not self._settings.mask_old:
            return pending
        masked = {each.index for each in masks}
        return sorted([*masks, *(each for each in pending if each.index not in masked)], key=_index)

    def _assistant(self, message: Mapping[str, Any]) -> None:
        self._turns += 1
        texts = [text_of(message.get("content"))]
        for call in message.get("tool_calls") or () if isinstance(message.get("tool_calls"), list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                continue
            name, arguments = str(function.get("name") or ""), function.get("arguments")
            arguments = arguments if isinstance(arguments, str) else ""
            self._calls[str(call.get("id"))] = (name, arguments)
            for text in texts_of(arguments):
                texts.append(text)
                if self._settings.deduplicate and text.count("\n") >= 5:
                    self._lines.add(Source(None, [comparable(line) for line in text.split("\n")]))
        self._use(texts)

    def _use(self, texts: list[str]) -> None:
        """What the assistant speaks of was of use."""
        for text in texts:
            words = naming_words(text)
            for word in words:
                holders = self._holders.get(word)
                if holders is not None and len(holders) < _COMMON:
                    for number in holders:
                        self._outputs[number].last_use = self._turns
            self._said.update(words)

    def _output(self, index: int, message: Mapping[str, Any], tokens: int) -> None:
        content = message.get("content")
        if not isinstance(content, str):
            return  # parts such as pictures: as they are
        tool, arguments = self._calls.get(str(message.get("tool_call_id")), ("", ""))
        words = naming_words(content)
        output = _Output(
            number=len(self._outputs),
            index=index,
            tool=tool,
            kind=kind_of(tool, arguments, self._settings.command_tools),
            raw=content,
            hash=content_ref(content.encode("utf-8", "surrogatepass")),
            tokens=tokens,
            shown=content,
            words=words,
            last_use=self._turns,
            call_id=str(message.get("tool_call_id")),
            turn=self._turns,
        )
        self._outputs.append(output)
        self._by_index[index] = output
        for word in words:
            holders = self._holders.setdefault(word, [])
            if len(holders) < _COMMON:
                holders.append(output.number)
        self._waiting.append(output)

    def _apply(self, output: _Output, known: Replacement) -> None:
        output.shown = None if known.stage == "mask" else known.text
        self._tokens[output.index] = known.tokens_after
        output.tokens = known.tokens_after

    def _look(self) -> None:
        """At outputs that are not the newest any more, each once."""
        newest = self._newest()
        due = [output for output in self._waiting if output.index < newest]
        self._waiting = [output for output in self._waiting if output.index >= newest]
        for output in due:
            found = self._reduced(output)
            if found is not None:
                self._pending[output.index] = found
            self._index_lines(output)

    def _take(self, replacement: Replacement) -> None:
        output = self._by_index[replacement.index]
        self._pending.pop(output.index, None)
        self._apply(output, replacement)
        if replacement.stage == "mask":
            for number in output.refers:
                self._outputs[number].referred_by.discard(output.number)

    def _newest(self) -> int:
        """Where the newest results may begin: behind the last assistant message."""
        return self._answered

    def _reduced(self, output: _Output) -> Replacement | None:
        settings = self._settings
        text, stage = output.raw, "normalize"
        if settings.normalize:
            text = normalized(text)
        if settings.deduplicate:
            found = self._lines.shortened(text, self._alive)
            if found is not None:
                text, stage, output.refers = found.text, "deduplicate", found.referred
        if output.kind == "command" and self._count(text) > settings.threshold_tokens:
            text, left_out = shortened(text, int(settings.keep_tokens * _CHARS_PER_TOKEN))
            text += self._card(naming_words(left_out), output.number, _CUT_CARD)
            stage = "truncate"
        if text == output.raw:
            return None
        replacement = self._replacement(output, stage, f"{text}\n[whole output: mask:{output.hash[:16]}]")
        if replacement.tokens_after >= output.tokens:
            output.refers = frozenset()
            return None
        for number in output.refers:
            self._outputs[number].referred_by.add(output.number)
        return replacement

    def _index_lines(self, output: _Output) -> None:
        if self._settings.deduplicate and output.shown is not None:
            self._lines.add(Source(output.number, [comparable(line) for line in output.shown.split("\n")]))

    def _alive(self, number: int) -> bool:
        return self._outputs[number].shown is not None

    def _maskable(self) -> list[_Output]:
        """Outputs that were not of use lately, in order. Where a shown text refers to one, only together with that
        text: a note must not lead to what is not there."""
        newest, least = self._newest(), self._settings.mask_min_tokens
        shown = [output for output in self._outputs if output.shown is not None and output.index < newest]
        recent = sorted(shown, key=lambda output: (output.last_use, output.index))[-self._settings.keep_recent :]
        allowed, kept = set[int](), {output.number for output in recent}
        for output in reversed(shown):
            alive = [number for number in output.referred_by if self._alive(number)]
            if output.number not in kept and allowed.issuperset(alive):
                allowed.add(output.number)
        chosen: dict[int, _Output] = {}
        for output in shown:
            if output.number in allowed and (output.tokens > least or not output.refers.isdisjoint(chosen)):
                chosen[output.number] = output
        return list(chosen.values())

    def _stubs(self) -> list[Replacement]:
        found: list[Replacement] = []
        gone: set[int] = set()
        for output in self._maskable():
            stub = self._stub(output)
            if stub.tokens_after < output.tokens or not output.refers.isdisjoint(gone):
                found.append(stub)
                gone.add(output.number)
        return found

    def _share(self, output: _Output) -> int:
        return min(max(int(output.tokens * _CARD_SHARE), _CARD_LEAST), _CARD_MOST)

    def _stub(self, output: _Output) -> Replacement:
        lines = output.raw.count("\n") + 1
        card = self._card(output.words, output.number, self._share(output))
        text = f"[output omitted: {lines} lines, {output.tokens} tokens, mask:{output.hash[:16]}]{card}"
        return self._replacement(output, "mask", text)

    def _card(self, words: Counter[str], number: int, tokens: int) -> str:
        """The words that stand nowhere else in the context, most frequent first."""
        room = int(tokens * _CHARS_PER_TOKEN)
        chosen: list[str] = []
        for word in sorted(words, key=lambda word: (-words[word], word)):
            if word in self._said or self._elsewhere(word, number):
                continue
            room -= len(word) + 2
            if room < 0:
                break
            chosen.append(word)
        return f"\n[it names: {', '.join(chosen)}]" if chosen else ""

    def _elsewhere(self, word: str, number: int) -> bool:
        return any(
            holder != number and (shown := self._outputs[holder].shown) is not None and word in shown
            for holder in self._holders.get(word, ())
        )

    def _replacement(self, output: _Output, stage: Any, text: str) -> Replacement:
        after = self._count(text) + 3
        return Replacement(output.index, stage, output.hash, output.tool, text, output.tokens, after)


def _index(replacement: Replacement) -> int:
    return replacement.index
