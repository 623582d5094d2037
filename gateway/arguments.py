"""Tools made of a struct and a function: the struct's fields are the tool's arguments, and its input schema."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway.tools import Caller, Tool, ToolAnswer, text_answer

A = TypeVar("A", bound=msgspec.Struct)
READS = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}
ADDS = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}
WRITES = {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": False}


class ToolFailure(Exception):
    """The tool could not do it; the message is for the model that asked, which can mend its call."""


def tool(
    name: str,
    description: str,
    arguments: type[A],
    run: Callable[[Caller, A], Awaitable[ToolAnswer]],
    *,
    annotations: Mapping[str, bool] = READS,
    output_schema: Mapping[str, Any] | None = None,
    masked: bool = True,
) -> Tool:
    """A tool that answers what `run` does, and an error text for each ToolFailure."""

    async def call(caller: Caller, given: Mapping[str, Any]) -> ToolAnswer:
        try:
            return await run(caller, converted(given, arguments))
        except ToolFailure as failure:
            return text_answer(str(failure), is_error=True)
        except UnicodeEncodeError as error:
            return text_answer(f"Invalid arguments: character {error.start} of a text is half of one.", is_error=True)

    return Tool(
        name=name,
        description=description,
        input_schema=schema_of(arguments),
        call=call,
        annotations=annotations,
        output_schema=output_schema,
        masked=masked,
    )


def converted(given: Mapping[str, Any], arguments: type[A]) -> A:
    """Raises ToolFailure for arguments that do not fit."""
    try:
        return msgspec.convert(_integral(dict(given)), arguments)
    except msgspec.ValidationError as error:
        raise ToolFailure(f"Invalid arguments: {error}") from None


def schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON Schema of a struct, in one piece."""
    (schema,), parts = msgspec.json.schema_components([struct], ref_template="{name}")
    return {"type": "object", **_inlined(schema, parts)}


def answer(value: Mapping[str, Any] | list[Any]) -> ToolAnswer:
    """A JSON value as text, without a structured copy: it is shortened where it is long."""
    return text_answer(text_of(value))


def structured(value: Mapping[str, Any]) -> ToolAnswer:
    """A JSON object as text and as structured content."""
    return text_answer(text_of(value), value)


def text_of(value: object) -> str:
    """Compact JSON. Names of files may hold bytes that are no text, as unpaired surrogates: they are escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace").decode()


def _integral(value: Any) -> Any:
    """To JSON 5.0 and 5 are one number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _integral(inner) for key, inner in value.items()}
    return [_integral(inner) for inner in value] if isinstance(value, list) else value


def _inlined(schema: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(inner, parts) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        found: dict[str, Any] = _inlined(parts[schema["$ref"]], parts)
        return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    kept = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    if isinstance(kept.get("title"), str):
        del kept["title"]  # the struct's name
    return {key: _inlined(value, parts) for key, value in kept.items()}
