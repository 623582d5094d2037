"""Whether a line holds a text or fits a regular expression, in a time in proportion to its length."""

from collections.abc import Callable

from gateway.arguments import ToolFailure
from gateway.regex_parser import Parser, RegexError, UnsupportedError

Matcher = Callable[[str], bool]
_SPECIAL = frozenset("\\.^$*+?{}[]()|")
_CACHED = 20_000
_MATCHED = -1
Places = tuple[frozenset[int], str]  # states before anything is read, and what was read last: "" at the start


def matcher(pattern: str, *, case: bool) -> Matcher:
    """A pattern that is no regular expression is a text. Raises ToolFailure for one of another kind."""
    if not _SPECIAL.isdisjoint(pattern):
        try:
            return Automaton(pattern, case=case).search
        except UnsupportedError as error:
            raise ToolFailure(f"This regular expression cannot be used: {error}.") from None
        except RegexError:
            pass  # such as `call(`
    if case:
        return lambda line: pattern in line
    folded = pattern.casefold()
    return lambda line: folded in line.casefold()


class Automaton:
    """Made state by state as lines ask for them. For one thread."""

    def __init__(self, pattern: str, *, case: bool) -> None:
        """Raises RegexError."""
        parser = Parser(pattern, case=case)
        self._start = parser.parse()
        self._states = parser.states
        self._forget()

    def search(self, line: str) -> bool:
        """Whether a part of the line fits."""
        now = self._first
        for character in line:
            known = self._next[now].get(character)
            now = self._step(now, character) if known is None else known
            if now == _MATCHED:
                return True
        known = self._next[now].get("")
        return (self._step(now, "") if known is None else known) == _MATCHED

    def _forget(self) -> None:
        self._numbers: dict[Places, int] = {}
        self._places: list[Places] = []
        self._next: list[dict[str, int]] = []
        self._count = 0
        self._first = self._number((frozenset(), ""))

    def _number(self, places: Places) -> int:
        number = self._numbers.get(places)
        if number is None:
            number = self._numbers[places] = len(self._places)
            self._places.append(places)
            self._next.append({})
        return number

    def _step(self, now: int, character: str) -> int:
        """Over `character`, or over the end."""
        places = self._places[now]
        if self._count >= _CACHED:
            self._forget()
            now = self._number(places)
        reached = self._closure(places, character)
        if reached is None:
            following = _MATCHED
        else:
            following = self._number((self._taken(reached, character), "w" if _word(character) else "o"))
        self._next[now][character] = following
        self._count += 1
        return following

    def _closure(self, places: Places, character: str) -> list[int] | None:
        """All states that are reached before `character`; None where one of them is the match."""
        states, last = places
        found, todo = set[int](), [*states, self._start]
        while todo:
            number = todo.pop()
            if number in found:
                continue
            found.add(number)
            state = self._states[number]
            if state.kind == "match":
                return None
            if state.kind == "split":
                todo += [each for each in (state.next, state.other) if each >= 0]
            elif state.kind != "take" and _holds(state.kind, last, character):
                todo.append(state.next)
        return list(found)

    def _taken(self, reached: list[int], character: str) -> frozenset[int]:
        if not character:
            return frozenset()
        found = (self._states[number] for number in reached)
        return frozenset(state.next for state in found if state.test is not None and state.test(character))


def _holds(kind: str, last: str, character: str) -> bool:
    if kind == "start":
        return last == ""
    if kind == "end":
        return character in ("", "\n", "\r")
    edge = (last == "w") != _word(character)
    return edge if kind == "edge" else not edge


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"
