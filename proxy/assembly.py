"""Assistant messages assembled from the deltas of a stream.

Whatever a delta holds, nothing raises: a field of a wrong type is as good as absent. What is assembled: role, content,
reasoning, refusal, tool calls and the function call that came before them. Annotations and the like are left out.
"""

from typing import Any

import msgspec

from proxy.tool_calls import Call, ToolCalls, clean, text_or_none

_TEXTS = ("reasoning_content", "reasoning", "refusal")


class Message:
    """One choice's message while it grows."""

    def __init__(self) -> None:
        self._role: str | None = None
        self._content: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._calls = ToolCalls()
        self._function_call: Call | None = None
        self.finish_reason: str | None = None
        self.started = False

    def add(self, delta: dict[str, Any]) -> None:
        self.started = True
        self._role = self._role or text_or_none(delta.get("role"))
        content = delta.get("content")
        if isinstance(content, str):
            self._content.append(content)
        elif isinstance(content, list):  # of parts (Mistral)
            self._content.extend(part["text"] for part in content if _is_text(part))
        for key in _TEXTS:
            text = text_or_none(delta.get(key))
            if text is not None:
                self._texts.setdefault(key, []).append(text)
        calls = delta.get("tool_calls")
        for part in calls if isinstance(calls, list) else ():
            if isinstance(part, dict):
                self._calls.add(part)
        call = delta.get("function_call")
        if isinstance(call, dict):
            self._function_call = self._function_call or Call()
            self._function_call.add_body("function", call)

    def encoded(self) -> bytes:
        """The message as JSON, keys in a fixed order."""
        message: dict[str, Any] = {"role": clean(self._role or "assistant")}
        message["content"] = clean("".join(self._content)) if self._content else None
        for key in _TEXTS:
            if key in self._texts:
                message[key] = clean("".join(self._texts[key]))
        if calls := self._calls.listed():
            message["tool_calls"] = calls
        if self._function_call is not None:
            message["function_call"] = self._function_call.body()
        return msgspec.json.encode(message)


class Assembly:
    """All choices of a stream, and what its chunks say about themselves."""

    def __init__(self) -> None:
        self._choices: dict[int, Message] = {}
        self.model: str | None = None
        self.response_id: str | None = None
        self.service_tier: str | None = None

    def add(self, chunk: dict[str, Any]) -> None:
        """Take in a decoded chat.completion.chunk."""
        self.model = self.model or text_or_none(chunk.get("model"))
        self.response_id = self.response_id or text_or_none(chunk.get("id"))
        self.service_tier = text_or_none(chunk.get("service_tier")) or self.service_tier
        choices = chunk.get("choices")
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict):
                self._add_choice(choice, position)

    def messages(self) -> list[Message]:
        """In the order of their index."""
        return [self._choices[index] for index in sorted(self._choices)]

    def _add_choice(self, choice: dict[str, Any], position: int) -> None:
        index = choice.get("index")
        message = self._choices.setdefault(index if type(index) is int else position, Message())
        delta, whole = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            message.add(delta)
        elif isinstance(whole, dict) and not message.started:
            message.add(whole)
        message.finish_reason = text_or_none(choice.get("finish_reason")) or message.finish_reason


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)
