"""Which part of a request comes from a memory: results of the tools whose names say so (`mcp.memory_tools`)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from typing import Any, Protocol

IsMemoryTool = Callable[[str], bool]
Recalled = tuple[tuple[bytes, int], ...]  # ref and tokens of each result


class Facts(Protocol):
    """What is known of a message: the calls of such tools that it makes, and the call that it answers."""

    @property
    def ref(self) -> bytes: ...

    @property
    def tokens(self) -> int: ...

    @property
    def recalls(self) -> tuple[str, ...]: ...

    @property
    def answers(self) -> str | None: ...


def no_memory_tool(_: str) -> bool:
    return False


def memory_tools(patterns: Iterable[str]) -> IsMemoryTool:
    """Whether a tool's name matches one of the patterns; a name may have its server in front (`memory__search`)."""
    every = "|".join(translate(pattern.casefold()) for pattern in patterns)
    if not every:
        return no_memory_tool
    matches = re.compile(every).match

    def is_one(name: str) -> bool:
        name = name.casefold()
        return matches(name) is not None or matches(name.rpartition("__")[2]) is not None

    return is_one


def recalls_of(message: Mapping[str, Any], is_memory_tool: IsMemoryTool) -> tuple[str, ...]:
    """The ids of the calls of memory tools that an assistant's message makes."""
    calls = message.get("tool_calls")
    return (
        tuple(str(call.get("id")) for call in calls if _is_one(call, is_memory_tool)) if isinstance(calls, list) else ()
    )


def recalled_of(facts: Sequence[Facts]) -> Recalled:
    """The results of memory tools in a list of messages."""
    calls = {call for each in facts for call in each.recalls}
    return tuple((each.ref, each.tokens) for each in facts if each.answers is not None and each.answers in calls)


def _is_one(call: object, is_memory_tool: IsMemoryTool) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return isinstance(name, str) and is_memory_tool(name)
