"""What a request's context is made of, in tokens."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from context.messages import count_message, decode_message
from context.tokens import TextCounter
from context.turns import call_list, role_of

_SYSTEM = ("system", "developer")
_OUTPUT = ("tool", "function")
_LONGEST_NAME = 200  # characters
_SCHEMAS = ("tools", "functions", "response_format")


class Part(msgspec.Struct):
    messages: int = 0
    tokens: int = 0

    def add(self, tokens: int) -> None:
        self.messages += 1
        self.tokens += tokens


class Breakdown(msgspec.Struct):
    """`history` is what users and the assistant said, calls of tools included; `tools` are the schemas of the request,
    `by_tool` the outputs of each tool."""

    system: Part = msgspec.field(default_factory=Part)
    tools: Part = msgspec.field(default_factory=Part)
    history: Part = msgspec.field(default_factory=Part)
    output: Part = msgspec.field(default_factory=Part)
    by_tool: dict[str, Part] = msgspec.field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.system.tokens + self.tools.tokens + self.history.tokens + self.output.tokens


def breakdown(messages: Iterable[bytes], envelope: Mapping[str, Any], count: TextCounter) -> Breakdown:
    """`envelope` is the request's body; its own messages are not looked at. Counts are estimates."""
    found, names = Breakdown(), {}  # type: Breakdown, dict[str, str]
    for raw in messages:
        message = decode_message(raw)
        tokens, role = count_message(message, count), role_of(message)
        names.update((str(call.get("id")), _name(call)) for call in call_list(message))
        if role in _SYSTEM:
            found.system.add(tokens)
        elif role in _OUTPUT:
            found.output.add(tokens)
            name = names.get(str(message.get("tool_call_id"))) or _text(message.get("name"))
            found.by_tool.setdefault(name, Part()).add(tokens)
        else:
            found.history.add(tokens)
    for key in _SCHEMAS:
        value = envelope.get(key)
        for schema in value if isinstance(value, list) else (value,) if value else ():
            found.tools.add(count(msgspec.json.encode(schema).decode()))
    return found


def _name(call: Mapping[str, Any]) -> str:
    function = call.get("function")
    return _text(function.get("name")) if isinstance(function, dict) else ""


def _text(value: object) -> str:
    return value[:_LONGEST_NAME] if isinstance(value, str) else ""
