"""What kind of output a tool gave: the content of a file is kept whole, the output of a command may be shortened."""

import re
from collections.abc import Collection
from typing import Literal

import msgspec

Kind = Literal["command", "file", "other"]

_COMMAND = re.compile(r"bash|shell|exec|command|terminal|run|grep|glob|search|find|\bls\b|list", re.IGNORECASE)
_FILE = re.compile(r"read|view|open|cat\b|get_?file|fetch|edit|write|create|str_replace", re.IGNORECASE)
_SHOWS_FILE = re.compile(r"^\s*(?:cd [^&;|]+(?:&&|;)\s*)?(?:cat|head|tail|sed -n|nl|less|more|bat)\b(?![^|]*\|)")
_decode = msgspec.json.Decoder().decode


def kind_of(tool: str, arguments: str, command_tools: Collection[str] = ()) -> Kind:
    """By the tool's name and, where it runs commands, by the command. `command_tools` are more that run commands."""
    if tool in command_tools:
        return "command"
    if _FILE.search(tool) and not re.search(r"bash|shell|command", tool, re.IGNORECASE):
        return "file"
    if not _COMMAND.search(tool):
        return "other"
    return "file" if any(_SHOWS_FILE.match(text) for text in texts_of(arguments)) else "command"


def texts_of(arguments: str) -> list[str]:
    """The strings in a call's arguments, at any depth, in their order; the text itself where it is no JSON."""
    try:
        found: list[str] = []
        _collect(_decode(arguments), found)
    except (msgspec.MsgspecError, RecursionError):
        return [arguments]
    return found


def _collect(value: object, found: list[str]) -> None:
    match value:
        case str():
            found.append(value)
        case list():
            for each in value:
                _collect(each, found)
        case dict():
            for each in value.values():
                _collect(each, found)
