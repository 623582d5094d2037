"""The contract's notation of answers, as a check: `{id:int, name, model:str?, tags:str[], stats:Stats}`.

A key without a type has the one that its name says (section "Types of keys written without one"). Keys that are not
named may be there: later versions may add some.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TOKEN = re.compile(r"\s*([A-Za-z_][\w-]*|\[\]|[{}:,?]|\"[^\"]*\"(?:/\"[^\"]*\")*)")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MAX = 2**53 - 1

Check = Callable[[Any], str | None]


def _int(value: Any) -> str | None:
    return None if type(value) is int and abs(value) <= _MAX else f"{value!r} is no int"


def _number(value: Any) -> str | None:
    return None if type(value) in (int, float) else f"{value!r} is no number"


def _str(value: Any) -> str | None:
    return None if isinstance(value, str) else f"{value!r} is no str"


def _bool(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{value!r} is no bool"


def _time(value: Any) -> str | None:
    return None if isinstance(value, str) and _TIME.fullmatch(value) else f"{value!r} is no time"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else f"{value!r} is no object"


_SIMPLE: Mapping[str, Check] = {
    "int": _int,
    "number": _number,
    "str": _str,
    "bool": _bool,
    "time": _time,
    "object": _object,
    "any": lambda _: None,
}
_BY_NAME = (
    (r".*_at|timestamp", "time"),
    (r".*_ids", "int[]"),
    (r".*refs|capabilities|tags", "str[]"),
    (r"(is|has|can|show)_.*|.*_available|.*connected|success|enabled", "bool"),
    (r".*ratio.*|.*percentage.*|.*score|.*_ms|.*_mb", "number"),
    (
        r"id|.*_id|.*_tokens|tokens.*|.*_count|count|total.*|max_.*|.*_messages|messages_.*|.*_bytes|limit|offset"
        r"|position|head",
        "int",
    ),
)


class Notation:
    """`check(text)` for texts that may use the named types of `named`."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = {name: self.check(text) for name, text in named.items()} if not named else {}
        for name, text in named.items():  # each may use those before it
            self._named[name] = self.check(text)

    def check(self, text: str) -> Check:
        """What is wrong with a value, None where nothing is."""
        tokens = list(_tokens(text))
        found, rest = self._type(tokens)
        assert not rest, f"{text}: {rest} is left"
        return found

    def _type(self, tokens: list[str]) -> tuple[Check, list[str]]:
        first, rest = tokens[0], tokens[1:]
        if first == "{":
            check, rest = self._fields(rest)
        elif first.startswith('"'):
            check = _one_of(first)
        else:
            check = _SIMPLE.get(first) or self._named[first]
        while rest[:1] in (["[]"], ["?"]):
            check, rest = (_list_of(check) if rest[0] == "[]" else _maybe(check)), rest[1:]
        return check, rest

    def _fields(self, tokens: list[str]) -> tuple[Check, list[str]]:
        fields: dict[str, Check] = {}
        optional: set[str] = set()
        while tokens[0] != "}":
            name, tokens = tokens[0], tokens[1:]
            if tokens[0] == "?":
                optional.add(name)
                tokens = tokens[1:]
            if tokens[0] == ":":
                fields[name], tokens = self._type(tokens[1:])
            else:
                fields[name] = self.check(_implied(name))
            if tokens[0] == ",":
                tokens = tokens[1:]
        return _object_of(fields, optional), tokens[1:]


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        assert found, text[place:]
        yield found[1]
        place = found.end()


def _implied(name: str) -> str:
    return next((kind for pattern, kind in _BY_NAME if re.fullmatch(pattern, name)), "str")


def _one_of(token: str) -> Check:
    allowed = {part.strip('"') for part in token.split("/")}
    return lambda value: None if value in allowed else f"{value!r} is none of {sorted(allowed)}"


def _maybe(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _list_of(check: Check) -> Check:
    def found(value: Any) -> str | None:
        if not isinstance(value, list):
            return f"{value!r} is no list"
        return next((f"[{index}]: {bad}" for index, each in enumerate(value) if (bad := check(each))), None)

    return found


def _object_of(fields: Mapping[str, Check], optional: set[str]) -> Check:
    def found(value: Any) -> str | None:
        if not isinstance(value, dict):
            return f"{value!r} is no object"
        for name, check in fields.items():
            if name not in value:
                if name in optional:
                    continue
                return f"{name} is missing"
            bad = check(value[name])
            if bad:
                return f"{name}: {bad}"
        return None

    return found
