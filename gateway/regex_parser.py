"""Regular expressions, parsed into the states of an automaton. Pure.

What a model or a page may have written is never given to Python's own engine: that may take for ever. Here there is no
look-around and nothing that refers back, so that a line takes a time in proportion to its length.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

Test = Callable[[str], bool]
Kind = Literal["take", "split", "start", "end", "edge", "inside", "match"]
MOST_STATES = 4_000
_MOST_REPEATS = 1_000
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_SETS: dict[str, Test] = {"d": str.isdecimal, "s": str.isspace, "w": lambda c: c.isalnum() or c == "_"}


class RegexError(ValueError):
    """No regular expression of this kind; the message says why."""


class UnsupportedError(RegexError):
    """One of another kind."""


class State(msgspec.Struct):
    """`take` goes on to `next` with a character that fits `test`; `split` goes on to both ways without one; the
    others to `next`, where they stand in the right place."""

    kind: Kind
    test: Test | None = None
    next: int = -1
    other: int = -1


class Part(msgspec.Struct):
    """Where a part of the automaton begins, and the ends that wait for what comes behind it: (state, whether its other
    way)."""

    start: int
    ends: list[tuple[int, bool]]


class Parser:
    """One pattern. `states` is filled by `parse`."""

    def __init__(self, pattern: str, *, case: bool) -> None:
        self.states: list[State] = []
        self._text, self._at, self._case = pattern, 0, case
        self._depth = 0

    def parse(self) -> int:
        """The first state. Raises RegexError."""
        part = self._alternatives()
        if self._at < len(self._text):
            raise RegexError("a ) without (")
        self._join(part.ends, self._new("match"))
        return part.start

    def _alternatives(self) -> Part:
        self._depth += 1
        if self._depth > 50:
            raise RegexError("too many groups within one another")
        part = self._sequence()
        while self._peek() == "|":
            self._at += 1
            other = self._sequence()
            part = Part(self._new("split", next_=part.start, other=other.start), part.ends + other.ends)
        self._depth -= 1
        return part

    def _sequence(self) -> Part:
        first = self._new("split")
        part = Part(first, [(first, False)])
        while self._peek() not in ("", "|", ")"):
            following = self._repeated()
            self._join(part.ends, following.start)
            part = Part(part.start, following.ends)
        return part

    def _repeated(self) -> Part:
        begun = self._at
        part = self._atom()
        while (bounds := self._bounds()) is not None:
            ended = self._at
            part = self._times(part, begun, *bounds)
            self._at = ended
        return part

    def _bounds(self) -> tuple[int, int | None] | None:
        """How often the part before may stand, if that is said here. A `?` behind it changes no match."""
        mark = self._peek()
        found: tuple[int, int | None] | None = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(mark)
        if found is not None:
            self._at += 1
        elif mark == "{":
            found = self._counted()
        if found is not None and self._peek() == "?":
            self._at += 1
        return found

    def _counted(self) -> tuple[int, int | None] | None:
        """`{2}`, `{2,}` or `{2,5}`; anything else is a text."""
        inside, closed, _ = self._text[self._at + 1 :].partition("}")
        least, comma, most = inside.partition(",")
        if not closed or not least.isdecimal() or not (most.isdecimal() or not most) or len(inside) > 9:
            return None
        self._at += len(inside) + 2
        low, high = int(least), int(most) if most else (None if comma else int(least))
        if low > _MOST_REPEATS or (high is not None and (high < low or high > _MOST_REPEATS)):
            raise RegexError("a number of repeats that is too high or the wrong way round")
        return low, high

    def _times(self, part: Part, begun: int, low: int, high: int | None) -> Part:
        """`part` stands for the text from `begun`; further copies are parsed from there."""
        whole: Part | None = None
        for _ in range(low):
            each, part = part, self._copy(begun)
            whole = self._behind(whole, each)
        if high is None:
            return self._behind(whole, self._loop(part))
        ends: list[tuple[int, bool]] = []
        for _ in range(high - low):
            each, part = part, self._copy(begun)
            split = self._new("split", next_=each.start)
            ends.append((split, True))
            whole = self._behind(whole, Part(split, each.ends))
        if whole is None:
            nothing = self._new("split")
            return Part(nothing, [(nothing, False)])
        return Part(whole.start, whole.ends + ends)

    def _copy(self, begun: int) -> Part:
        self._at = begun
        return self._atom()

    def _loop(self, part: Part) -> Part:
        split = self._new("split", next_=part.start)
        self._join(part.ends, split)
        return Part(split, [(split, True)])

    def _behind(self, before: Part | None, part: Part) -> Part:
        if before is None:
            return part
        self._join(before.ends, part.start)
        return Part(before.start, part.ends)

    def _atom(self) -> Part:
        mark = self._next()
        match mark:
            case "(":
                return self._group()
            case "[":
                return self._take(self._class())
            case ".":
                return self._take(lambda character: character != "\n")
            case "^":
                return self._place("start")
            case "$":
                return self._place("end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise RegexError(f"nothing before {mark}")
            case _:
                return self._take(self._literal(mark))

    def _group(self) -> Part:
        if self._peek() == "?":
            if self._text[self._at + 1 : self._at + 2] != ":":
                raise UnsupportedError("of the groups with (? only (?: is known here")
            self._at += 2
        part = self._alternatives()
        if self._next() != ")":
            raise RegexError("a ( without )")
        return part

    def _escape(self) -> Part:
        mark = self._next()
        if mark == "b":
            return self._place("edge")
        if mark == "B":
            return self._place("inside")
        if mark in ("A", "Z"):
            return self._place("start" if mark == "A" else "end")
        return self._take(self._escaped(mark))

    def _escaped(self, mark: str) -> Test:
        if not mark:
            raise RegexError("a \\ at the end")
        if mark.lower() in _SETS:
            test = _SETS[mark.lower()]
            return test if mark.islower() else lambda character: not test(character)
        if mark in _ESCAPES:
            return self._literal(_ESCAPES[mark])
        if mark.isalnum():
            raise UnsupportedError(f"\\{mark} is not known here")
        return self._literal(mark)

    def _class(self) -> Test:
        negated = self._peek() == "^"
        self._at += negated
        tests: list[Test] = []
        while (mark := self._next()) != "]" or not tests:
            if not mark:
                raise RegexError("a [ without ]")
            tests.append(self._member(mark))
        chosen = tuple(tests)
        return lambda character: any(test(character) for test in chosen) != negated

    def _member(self, mark: str) -> Test:
        if mark == "\\":
            mark = self._next()
            if mark.lower() in _SETS or not mark:
                return self._escaped(mark)
            if mark.isalnum() and mark not in _ESCAPES and mark != "b":
                raise UnsupportedError(f"\\{mark} is not known here")
            mark = "\b" if mark == "b" else _ESCAPES.get(mark, mark)
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("", "]"):
            return self._literal(mark)
        self._at += 1
        last = self._next()
        last = self._next() if last == "\\" else last
        if last < mark:
            raise RegexError(f"the range {mark}-{last} is the wrong way round")
        return self._range(mark, last)

    def _range(self, first: str, last: str) -> Test:
        if self._case:
            return lambda character: first <= character <= last
        return lambda character: any(
            first <= each <= last for each in (character, character.lower(), character.upper())
        )

    def _literal(self, wanted: str) -> Test:
        if self._case:
            return lambda character: character == wanted
        folded = wanted.casefold()
        return lambda character: character.casefold() == folded

    def _take(self, test: Test) -> Part:
        state = self._new("take", test)
        return Part(state, [(state, False)])

    def _place(self, kind: Kind) -> Part:
        state = self._new(kind)
        return Part(state, [(state, False)])

    def _new(self, kind: Kind, test: Test | None = None, next_: int = -1, other: int = -1) -> int:
        if len(self.states) >= MOST_STATES:
            raise RegexError("too long")
        self.states.append(State(kind, test, next_, other))
        return len(self.states) - 1

    def _join(self, ends: list[tuple[int, bool]], target: int) -> None:
        for state, other in ends:
            if other:
                self.states[state].other = target
            else:
                self.states[state].next = target

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        found = self._peek()
        self._at += 1
        return found
