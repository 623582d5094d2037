"""What stands for turns of the assistant that are left out: one line for each action, without a model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from context.messages import text_of
from context.turns import RESULTS, call_list, role_of
from schema.blobs import content_ref

HEAD = "[condensed by the proxy; mask:<hash> names a whole output]"
_AGAIN = "[condensed]"
_SAID = "- said: "
_decode = msgspec.json.Decoder().decode


class Detail(msgspec.Struct, frozen=True):
    """How much is said, in characters: of what the assistant wrote, and of a call's arguments."""

    said: int
    arguments: int


DETAILS = (
    Detail(400, 200),
    Detail(240, 160),
    Detail(160, 120),
    Detail(100, 100),
    Detail(60, 80),
    Detail(40, 60),
    Detail(24, 48),
    Detail(0, 32),
)


def hash_of(text: str) -> str:
    """Of an output, as masks name it: sha256 of its text, 64 hex."""
    return content_ref(text.encode("utf-8", "surrogatepass"))


def digest(messages: Sequence[Mapping[str, Any]], tokens: Sequence[int], detail: Detail, *, first: bool) -> str:
    """Of whole turns in order; `tokens` of each message; the first digest that names an output explains how."""
    lines = list(_lines(messages, tokens, detail))
    if not lines:
        return shortest(len(messages))
    if len(messages) == 1 and len(lines) == 1 and lines[0].startswith(_SAID):
        return f"{_AGAIN} {lines[0].removeprefix(_SAID)}"  # an answer, and nothing that was done
    return "\n".join([HEAD if first and "mask:" in "".join(lines) else _AGAIN, *lines])


def shortest(count: int) -> str:
    """Where not even a line for each action pays."""
    return f"[{count} messages left out]" if count != 1 else "[left out]"


def _lines(messages: Sequence[Mapping[str, Any]], tokens: Sequence[int], detail: Detail) -> Iterator[str]:
    results: dict[str, list[str]] = {}
    loose: list[str] = []
    for message, size in zip(messages, tokens, strict=True):
        if role_of(message) in RESULTS:
            found = _result(message, size)
            if role_of(message) == "tool":
                results.setdefault(str(message.get("tool_call_id")), []).append(found)
            else:
                loose.append(found)
    for message in messages:
        if role_of(message) != "assistant":
            continue
        earlier = _of_digest(message.get("content"))
        if earlier is not None:
            yield from earlier
            continue
        said = one_line(text_of(message.get("content")), detail.said)
        if said:
            yield f"{_SAID}{said}"
        for call in call_list(message):
            waiting = results.get(str(call.get("id")))
            result = f" -> {waiting.pop(0)}" if waiting else ""
            yield f"- {_called(call.get('function'), detail)}{result}"
        if isinstance(message.get("function_call"), dict):
            result = f" -> {loose.pop(0)}" if loose else ""
            yield f"- {_called(message['function_call'], detail)}{result}"
    for left in (*(each for waiting in results.values() for each in waiting), *loose):
        yield f"- output: {left}"


def _of_digest(content: object) -> list[str] | None:
    """The lines of a digest, which is condensed already; None for any other text."""
    if not isinstance(content, str) or not content.startswith((HEAD, _AGAIN)):
        return None
    first, *lines = content.split("\n")
    answer = first.removeprefix(_AGAIN).strip() if first.startswith(_AGAIN) else ""
    return [*([_SAID + answer] if answer else []), *(line for line in lines if line.startswith(("- ", "[")))]


def _result(message: Mapping[str, Any], size: int) -> str:
    content = message.get("content")
    if not isinstance(content, str):
        return f"{size:,} tokens"
    return f"{content.count(chr(10)) + 1:,} lines, mask:{hash_of(content)[:16]}"


def _called(function: object, detail: Detail) -> str:
    if not isinstance(function, dict):
        return "a call"
    name, arguments = function.get("name"), function.get("arguments")
    shown = one_line(_plain(arguments) if isinstance(arguments, str) else "", detail.arguments)
    return f"{one_line(name, 60) if isinstance(name, str) else 'a call'}({shown})"


def _plain(arguments: str) -> str:
    """The values of arguments, where they are a flat object of few; else as they are."""
    try:
        values = _decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    if isinstance(values, dict) and 0 < len(values) <= 4:
        return ", ".join(value if isinstance(value, str) else str(value) for value in values.values())
    return arguments


def one_line(text: str, most: int) -> str:
    """The beginning of a text without line breaks, with … where something is left out."""
    flat = " ".join(text[: 8 * most + 200].split())
    return flat if len(flat) <= most else f"{flat[: max(most - 1, 0)].rstrip()}…" if most else ""
