"""JSONPath of RFC 9535, parsed: names, wildcards, indexes, slices, unions, descendants, and filters with comparisons
and the functions length, count and value. Pure.

Regular expressions (match, search) are not known: see gateway/regex_parser.py for why.
"""

import re
from typing import Any, Literal

import msgspec

_DEEPEST = 30  # parentheses within one another
_LONGEST = 2_000
_NAME = re.compile(r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][\w\u0080-\ud7ff\ue000-\U0010ffff]*")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_OPERATORS = ("==", "!=", "<=", ">=", "<", ">")
_FUNCTIONS = ("length", "count", "value")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\", "'": "'", '"': '"'}
Operator = Literal["==", "!=", "<=", ">=", "<", ">"]


class PathError(ValueError):
    """No JSONPath; the message says where and why."""


class Name(msgspec.Struct, frozen=True):
    name: str


class Index(msgspec.Struct, frozen=True):
    index: int


class Wildcard(msgspec.Struct, frozen=True):
    pass


class Slice(msgspec.Struct, frozen=True):
    start: int | None
    stop: int | None
    step: int


class Filter(msgspec.Struct, frozen=True):
    """Children for which `test` holds."""

    test: "Test"


Selector = Name | Index | Wildcard | Slice | Filter


class Segment(msgspec.Struct, frozen=True):
    """Selectors of the children, or of everything below."""

    selectors: tuple[Selector, ...]
    descendants: bool = False


class Query(msgspec.Struct, frozen=True):
    """From the root (`$`) or, in a filter, from the child that is looked at (`@`)."""

    segments: tuple[Segment, ...]
    relative: bool = False

    @property
    def singular(self) -> bool:
        """Whether it can find one value at most."""
        return all(
            not each.descendants and len(each.selectors) == 1 and isinstance(each.selectors[0], Name | Index)
            for each in self.segments
        )


class Literal_(msgspec.Struct, frozen=True):
    value: Any


class Call(msgspec.Struct, frozen=True):
    function: str
    argument: "Query | Literal_ | Call"


class Comparison(msgspec.Struct, frozen=True):
    left: "Query | Literal_ | Call"
    operator: Operator
    right: "Query | Literal_ | Call"


class Exists(msgspec.Struct, frozen=True):
    query: Query


class Not(msgspec.Struct, frozen=True):
    test: "Test"


class All(msgspec.Struct, frozen=True):
    tests: tuple["Test", ...]


class Any_(msgspec.Struct, frozen=True):
    tests: tuple["Test", ...]


Value = Query | Literal_ | Call
Test = Comparison | Exists | Not | All | Any_


def parse(text: str) -> Query:
    """Raises PathError."""
    if len(text) > _LONGEST:
        raise PathError(f"The path has more than {_LONGEST} characters.")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def whole(self) -> Query:
        if not self._skip("$"):
            raise self._wrong("a path begins with $")
        query = Query(self._segments())
        if self._at < len(self._text):
            raise self._wrong("a . or [ is missing")
        return query

    def _segments(self) -> tuple[Segment, ...]:
        found: list[Segment] = []
        while True:
            begun = self._at
            self._space()
            if self._skip(".."):
                found.append(Segment(self._bracketed() if self._peek() == "[" else (self._shorthand(),), True))
            elif self._skip("."):
                found.append(Segment((self._shorthand(),)))
            elif self._peek() == "[":
                found.append(Segment(self._bracketed()))
            else:
                self._at = begun
                return tuple(found)

    def _shorthand(self) -> Selector:
        if self._skip("*"):
            return Wildcard()
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise self._wrong("a name or * is missing")
        self._at = name.end()
        return Name(name[0])

    def _bracketed(self) -> tuple[Selector, ...]:
        self._skip("[")
        found: list[Selector] = []
        while True:
            self._space()
            found.append(self._selector())
            self._space()
            if self._skip("]"):
                return tuple(found)
            if not self._skip(","):
                raise self._wrong("a ] or , is missing")

    def _selector(self) -> Selector:
        if self._peek() in ("'", '"'):
            return Name(self._string())
        if self._skip("*"):
            return Wildcard()
        if self._skip("?"):
            self._space()
            return Filter(self._any())
        first = self._integer()
        self._space()
        if self._skip(":"):
            return self._slice(first)
        if first is None:
            raise self._wrong("a name in quotes, a number, *, a slice or a filter is missing")
        return Index(first)

    def _slice(self, start: int | None) -> Slice:
        self._space()
        stop = self._integer()
        self._space()
        step = None
        if self._skip(":"):
            self._space()
            step = self._integer()
        return Slice(start, stop, 1 if step is None else step)

    def _any(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("too many tests within one another")
        tests = [self._all()]
        while self._operator("||"):
            tests.append(self._all())
        self._depth -= 1
        return tests[0] if len(tests) == 1 else Any_(tuple(tests))

    def _all(self) -> Test:
        tests = [self._test()]
        while self._operator("&&"):
            tests.append(self._test())
        return tests[0] if len(tests) == 1 else All(tuple(tests))

    def _operator(self, sign: str) -> bool:
        self._space()
        return self._skip(sign)

    def _test(self) -> Test:
        self._space()
        if self._peek() == "!" and self._text[self._at : self._at + 2] != "!=":
            self._at += 1
            self._space()
            return Not(self._basic(negated=True))
        return self._basic()

    def _basic(self, *, negated: bool = False) -> Test:
        if self._skip("("):
            test = self._any()
            self._space()
            if not self._skip(")"):
                raise self._wrong("a ) is missing")
            return test
        left = self._value()
        self._space()
        sign = next((sign for sign in _OPERATORS if self._text.startswith(sign, self._at)), None)
        if sign is None or negated:
            if not isinstance(left, Query):
                raise self._wrong("a comparison is missing")
            return Exists(left)
        self._at += len(sign)
        self._space()
        right = self._value()
        if any(isinstance(side, Query) and not side.singular for side in (left, right)):
            raise self._wrong("only a path that finds one value can be compared")
        return Comparison(left, sign, right)  # type: ignore[arg-type]

    def _value(self) -> Value:
        if self._peek() in ("@", "$"):
            relative = self._peek() == "@"
            self._at += 1
            return Query(self._segments(), relative)
        if self._peek() in ("'", '"'):
            return Literal_(self._string())
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return Literal_(int(number[0]) if _INTEGER.fullmatch(number[0]) else float(number[0]))
        word = _NAME.match(self._text, self._at)
        if word is None:
            raise self._wrong("a value is missing")
        self._at = word.end()
        return self._worded(word[0])

    def _worded(self, word: str) -> Value:
        if word in ("true", "false", "null"):
            return Literal_({"true": True, "false": False, "null": None}[word])
        if word not in _FUNCTIONS or not self._skip("("):
            raise self._wrong(f"{word[:40]} is no value; functions are {', '.join(_FUNCTIONS)}")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("too many functions within one another")
        self._space()
        argument = self._value()
        self._space()
        if not self._skip(")"):
            raise self._wrong("a ) is missing")
        if word != "length" and not isinstance(argument, Query):
            raise self._wrong(f"{word} takes a path")
        self._depth -= 1
        return Call(word, argument)

    def _string(self) -> str:
        quote, found = self._text[self._at], list[str]()
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == quote:
                return "".join(found).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            found.append(self._escaped() if character == "\\" else character)
        raise self._wrong("a text does not end")

    def _escaped(self) -> str:
        mark = self._text[self._at : self._at + 1]
        self._at += 1
        if mark == "u":
            digits = self._text[self._at : self._at + 4]
            self._at += 4
            if re.fullmatch("[0-9A-Fa-f]{4}", digits):
                return chr(int(digits, 16))
        elif mark in _ESCAPES:
            return _ESCAPES[mark]
        raise self._wrong("an unknown \\ in a text")

    def _integer(self) -> int | None:
        found = _INTEGER.match(self._text, self._at)
        if found is None or found[0] == "-0":
            return None
        self._at = found.end()
        return int(found[0])

    def _space(self) -> None:
        while self._peek() in (" ", "\t", "\n", "\r"):
            self._at += 1

    def _skip(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _wrong(self, why: str) -> PathError:
        return PathError(f"At character {self._at + 1} of the path: {why}.")
