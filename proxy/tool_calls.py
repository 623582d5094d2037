"""Tool calls put together from their pieces.

A piece belongs to the call of its index. Providers are known to leave the index out, to give every call the same one,
and to repeat the id and the name in each piece.
"""

import json
from typing import Any, Literal

Kind = Literal["function", "custom"]
_TEXT_KEY: dict[Kind, str] = {"function": "arguments", "custom": "input"}


def text_or_none(value: object) -> str | None:
    """The value if it is a text with something in it."""
    return value if isinstance(value, str) and value else None


def clean(text: str) -> str:
    """`text` as it can be encoded: halves of a surrogate pair that came in two pieces joined, others replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Call:
    """One call while it grows: its first id and name, all of its arguments (`input` of a custom tool)."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self._kind: Kind = "function"
        self._texts: list[str] = []

    def add_body(self, kind: Kind, body: dict[str, Any]) -> None:
        self._kind = kind
        self.name = self.name or text_or_none(body.get("name"))
        value = body.get(_TEXT_KEY[kind])
        if isinstance(value, str):
            self._texts.append(value)
        elif isinstance(value, dict | list):  # should have been JSON inside a string
            self._texts.append(_as_text(value))

    def body(self) -> dict[str, str]:
        return {"name": clean(self.name or ""), _TEXT_KEY[self._kind]: clean("".join(self._texts))}

    def listed(self) -> dict[str, Any]:
        return {"id": clean(self.id or ""), "type": self._kind, self._kind: self.body()}


def _as_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""


class ToolCalls:
    """The calls of one message."""

    def __init__(self) -> None:
        self._calls: list[tuple[int, Call]] = []  # with the place in the order of calls
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}

    def add(self, part: dict[str, Any]) -> None:
        kind: Kind = "custom" if isinstance(part.get("custom"), dict) else "function"
        body = part.get(kind)
        body = body if isinstance(body, dict) else {}
        index, call_id = part.get("index"), text_or_none(part.get("id"))
        named = text_or_none(body.get("name")) is not None
        if type(index) is int:
            call = self._of_index(index, call_id, named=named)
        else:
            call = self._without_index(call_id, named=named)
        if call_id is not None and call.id is None:
            call.id = call_id
            self._by_id[call_id] = call
        if body:
            call.add_body(kind, body)

    def listed(self) -> list[dict[str, Any]]:
        """In the order of the indexes, calls without one where they came."""
        return [call.listed() for _, call in sorted(self._calls, key=lambda placed: placed[0])]

    def _of_index(self, index: int, call_id: str | None, *, named: bool) -> Call:
        call = self._by_index.get(index)
        another = call is not None and named and call_id is not None and call.id not in (None, call_id)
        if call is None or another:
            call = self._by_index[index] = self._new(index)
        return call

    def _without_index(self, call_id: str | None, *, named: bool) -> Call:
        if call_id is not None:
            return self._by_id.get(call_id) or self._new(len(self._calls))
        if not self._calls or (named and self._calls[-1][1].name is not None):
            return self._new(len(self._calls))
        return self._calls[-1][1]

    def _new(self, place: int) -> Call:
        call = Call()
        self._calls.append((place, call))
        return call
