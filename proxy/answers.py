"""The assistant messages of an answer, from a JSON body or from the recorded text of a stream.

Built once the client has everything. Whatever a provider sends, nothing here raises: what makes no sense is left out.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

_MAX_INFLATED = 64 << 20
_MAX_CHOICES = 128
_MAX_CALLS = 1_024

_decode_any = msgspec.json.Decoder().decode
_JUNK = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`message` is the JSON of choice 0's assistant message, `others` those of further choices by index."""

    message: bytes | None = None
    others: tuple[bytes, ...] = ()
    finish_reason: str | None = None
    model: str | None = None
    response_id: str | None = None


class _Choice(msgspec.Struct):
    message: msgspec.Raw = msgspec.Raw(b"null")
    finish_reason: Any = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)
    model: Any = None
    id: Any = None


class _Assembly:
    """One choice of a stream, put together from its deltas."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.calls: dict[int, dict[str, Any]] = {}
        self.finish_reason: str | None = None

    def add(self, delta: dict[str, Any]) -> None:
        for key, value in delta.items():
            if key == "tool_calls" and isinstance(value, list):
                for position, call in enumerate(value):
                    self._add_call(position, call)
            elif key != "role" and isinstance(value, str):
                self.texts.setdefault(key, []).append(value)

    def message(self) -> bytes | None:
        """The message with role, content, other texts in the order they came, tool calls; None if nothing came."""
        if not self.texts and not self.calls:
            return None
        texts = {key: "".join(parts) for key, parts in self.texts.items()}
        message: dict[str, Any] = {"role": "assistant", "content": texts.pop("content", None), **texts}
        if self.calls:
            message["tool_calls"] = [_finished(self.calls[index]) for index in sorted(self.calls)]
        return msgspec.json.encode(message)

    def _add_call(self, position: int, call: Any) -> None:
        if not isinstance(call, dict):
            return
        index = call.get("index")
        number = index if isinstance(index, int) and not isinstance(index, bool) else self._place(position, call)
        if number not in self.calls and len(self.calls) >= _MAX_CALLS:
            return
        known = self.calls.setdefault(number, {"arguments": []})
        for key in ("id", "type"):
            if isinstance(call.get(key), str) and call[key]:
                known.setdefault(key, call[key])
        function = call.get("function")
        if isinstance(function, dict):
            if isinstance(function.get("name"), str) and function["name"]:
                known.setdefault("name", function["name"])
            if isinstance(function.get("arguments"), str):
                known["arguments"].append(function["arguments"])

    def _place(self, position: int, call: dict[str, Any]) -> int:
        """Where a fragment without an index belongs: a new id opens a new call, else it goes on with the last."""
        identity = call.get("id")
        known = next((number for number, each in self.calls.items() if each.get("id") == identity), None)
        if known is not None:
            return known
        if isinstance(identity, str) and identity:
            return max(self.calls, default=-1) + 1
        return max(self.calls, default=position)


def answer_from_json(data: bytes) -> Answer:
    """The answer in a chat completion object; the messages keep their bytes. Empty for anything else."""
    try:
        completion = msgspec.json.decode(data, type=_Completion)
    except _JUNK:
        return Answer()
    messages = [bytes(choice.message) for choice in completion.choices[:_MAX_CHOICES]]
    usable = [message for message in messages if message.startswith(b"{")]
    if not completion.choices:
        return Answer(model=_text(completion.model), response_id=_text(completion.id))
    return Answer(
        message=messages[0] if messages[0].startswith(b"{") else None,
        others=tuple(usable[1:] if messages[0].startswith(b"{") else usable),
        finish_reason=_text(completion.choices[0].finish_reason),
        model=_text(completion.model),
        response_id=_text(completion.id),
    )


def answer_from_sse(data: bytes) -> Answer:
    """The answer that a stream's text adds up to, also where it was cut short."""
    choices: dict[int, _Assembly] = {}
    model = response_id = None
    for chunk in chunks_of(data):
        model = _text(chunk.get("model")) or model
        response_id = _text(chunk.get("id")) or response_id
        for choice in _dicts(chunk.get("choices")):
            index = choice.get("index", 0)
            if not isinstance(index, int) or (index not in choices and len(choices) >= _MAX_CHOICES):
                continue
            assembly = choices.setdefault(index, _Assembly())
            assembly.finish_reason = _text(choice.get("finish_reason")) or assembly.finish_reason
            delta = choice.get("delta")
            if isinstance(delta, dict):
                assembly.add(delta)
    first = choices.pop(0, _Assembly())
    others = tuple(message for index in sorted(choices) if (message := choices[index].message()) is not None)
    return Answer(
        message=first.message(),
        others=others,
        finish_reason=first.finish_reason,
        model=model,
        response_id=response_id,
    )


def chunks_of(data: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream's events in order."""
    for event in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        try:
            chunk = _decode_any(b"\n".join(lines)) if lines else None
        except _JUNK:
            continue
        if isinstance(chunk, dict):
            yield chunk


def completion_text(answer: Answer) -> str:
    """What the model wrote, for an estimate of its tokens: texts, reasoning, tool names and arguments."""
    parts: list[str] = []
    for message in (answer.message, *answer.others):
        try:
            fields = _decode_any(message) if message is not None else None
        except _JUNK:
            continue
        if isinstance(fields, dict):
            parts += [value for key, value in fields.items() if key != "role" and isinstance(value, str)]
            for call in _dicts(fields.get("tool_calls")):
                function = call.get("function")
                if isinstance(function, dict):
                    parts += [
                        text for text in (function.get("name"), function.get("arguments")) if isinstance(text, str)
                    ]
    return "\n".join(parts)


def decoded(data: bytes, content_encoding: str | None) -> bytes:
    """`data` without its content encoding (gzip or deflate), as far as it goes and up to 64 MiB; of another encoding
    nothing can be read."""
    encoding = (content_encoding or "identity").strip().lower()
    if encoding in ("identity", ""):
        return data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return b""
    try:
        return zlib.decompressobj(47).decompress(data, _MAX_INFLATED)
    except zlib.error:
        return b""


def _finished(call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": call.get("name", ""), "arguments": "".join(call["arguments"])}
    return {"id": call.get("id", ""), "type": call.get("type", "function"), "function": function}


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
