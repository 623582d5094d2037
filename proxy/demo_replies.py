"""What the demo provider's models answer. Pure: the same request gets the same reply.

Only the model's name decides what happens, never what a user wrote (decisions 3.11). Of the parameters `n`,
`max_tokens` and `max_completion_tokens` are heeded, and those of tools and streams; others are not looked at.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from context.messages import PER_REPLY, count_message, text_of
from context.tokens import TextCounter
from proxy.demo_arguments import arguments_for

MODELS = ("demo/echo", "demo/tool", "demo/stall", "demo/fail")
RETRY_AFTER_S = 1

MOST_CHOICES = 8

_NO_USER = "There is no user message to repeat."
_NO_TOOL = "The request offers no tool that could be called."
_STALLING = "This answer stops here and stays open until it is closed."


class DemoRequest(msgspec.Struct):
    """What the demo looks at of a request; `tools` stays JSON, for counting."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    tools: msgspec.Raw = msgspec.Raw(b"")
    tool_choice: Any = None
    n: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None


class ToolCall(msgspec.Struct, frozen=True):
    """`arguments` is JSON text."""

    name: str
    arguments: str


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Reply(msgspec.Struct, frozen=True):
    """A text or a tool call, so many times, with the usage of all. `cut`: there is more than was wanted; `stalls`: only
    its beginning is ever sent."""

    model: str
    text: str
    call: ToolCall | None
    usage: Usage
    choices: int = 1
    cut: bool = False
    stalls: bool = False


class DemoRefusal(Exception):
    """The request is answered with an error: HTTP `status` and the OpenAI error's fields."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


def decode_request(body: bytes) -> DemoRequest:
    """Raises DemoRefusal."""
    try:
        return msgspec.json.decode(body, type=DemoRequest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise DemoRefusal(400, f"This is not a chat completion request: {error}", "invalid_request") from None


def reply_to(request: DemoRequest, count: TextCounter) -> Reply:
    """The reply of the model that `request` names, with or without its `demo/`. Raises DemoRefusal."""
    choices, most = _whole(request.n, "n", MOST_CHOICES) or 1, _most_tokens(request)
    text, call = "", None
    match request.model.removeprefix("demo/"):
        case "echo":
            text = _echo(request)
        case "tool":
            text, call = _tool(request)
        case "stall":
            text = _STALLING
        case "fail":
            message = f"The model demo/fail always answers so. Please try again in {RETRY_AFTER_S} s."
            raise DemoRefusal(429, message, "rate_limit_exceeded")
        case _:
            known = ", ".join(MODELS)
            shown = request.model[:200]
            raise DemoRefusal(404, f"The model {shown} does not exist; there are {known}.", "model_not_found", "model")
    shown, shown_call = (text, call) if most is None else _within(text, call, most, count)
    usage = _usage(request, shown, shown_call, choices, count)
    cut = (shown, shown_call) != (text, call)
    return Reply(request.model, shown, shown_call, usage, choices, cut, stalls=request.model.endswith("stall"))


def _most_tokens(request: DemoRequest) -> int | None:
    """Of each choice; the newer name counts."""
    newer = _whole(request.max_completion_tokens, "max_completion_tokens")
    return newer if newer is not None else _whole(request.max_tokens, "max_tokens")


def _whole(value: object, name: str, most: int | None = None) -> int | None:
    """None where it is not given. Raises DemoRefusal."""
    if value is None:
        return None
    if type(value) is not int or value < 1 or (most is not None and value > most):
        limits = "1 or more" if most is None else f"1 to {most}"
        raise DemoRefusal(400, f"{name} must be a whole number: {limits}.", "invalid_request", name)
    return value


def _within(text: str, call: ToolCall | None, most: int, count: TextCounter) -> tuple[str, ToolCall | None]:
    """As much as `most` tokens hold; of a call its name stays whole."""
    if call is None:
        return _beginning(text, lambda part: count(part) <= most), None
    room = most - count(call.name)
    return text, ToolCall(call.name, _beginning(call.arguments, lambda part: count(part) <= room))


def _beginning(text: str, fits: Callable[[str], bool]) -> str:
    """The longest that fits, found by halving."""
    if fits(text):
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return text[:low]


def _echo(request: DemoRequest) -> str:
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return _NO_USER


def _tool(request: DemoRequest) -> tuple[str, ToolCall | None]:
    last = request.messages[-1] if request.messages else {}
    if last.get("role") == "tool":
        return f"The tool answered: {text_of(last.get('content'))}", None
    call = _call(request)
    return ("", call) if call is not None else (_NO_TOOL, None)


def _call(request: DemoRequest) -> ToolCall | None:
    """The tool that the request insists on, else its first."""
    if request.tool_choice == "none" or not bytes(request.tools):
        return None
    functions = [_fields(_fields(tool).get("function")) for tool in _list(msgspec.json.decode(request.tools))]
    named = [function for function in functions if isinstance(function.get("name"), str)]
    wanted = _fields(_fields(request.tool_choice).get("function")).get("name")
    for function in named:
        if wanted in (None, function["name"]):
            arguments = msgspec.json.encode(arguments_for(function.get("parameters"))).decode()
            return ToolCall(str(function["name"]), arguments)
    return None


def _usage(request: DemoRequest, text: str, call: ToolCall | None, choices: int, count: TextCounter) -> Usage:
    prompt = PER_REPLY + sum(count_message(message, count) for message in request.messages)
    tools = bytes(request.tools)
    if tools not in (b"", b"null"):
        prompt += count(tools.decode())
    completion = choices * (count(text) + (count(call.name) + count(call.arguments) if call is not None else 0))
    return Usage(prompt, completion, prompt + completion)


def _fields(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
