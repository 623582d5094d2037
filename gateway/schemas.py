"""Arguments of a tool against its input schema: the part of JSON Schema that the servers in process use. Pure.

A schema that says more is refused when the server is made, so that nothing is left unchecked in silence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_TEXTS = ("title", "description", "default", "examples", "$schema", "format", "deprecated")  # say, but do not check
_CHECKS = (
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "oneOf", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "minItems", "maxItems",
)  # fmt: skip
_MOST = 5  # complaints in one answer
_SHOWN = 40  # characters of a value


class UnknownSchemaError(ValueError):
    """A schema with a word that is not checked here."""


def require_known(schema: object) -> None:
    """Raises UnknownSchemaError."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise UnknownSchemaError("a schema must be an object")
    unknown = schema.keys() - set(_TEXTS) - set(_CHECKS)
    if unknown:
        raise UnknownSchemaError(f"{', '.join(sorted(unknown))} is not checked")
    for inner in _inner(schema):
        require_known(inner)


def complaints(schema: Mapping[str, Any], value: object) -> list[str]:
    """What is wrong with `value`, in words, at most five; empty where it fits."""
    found: list[str] = []
    for each in _wrong(schema, value, ""):
        found.append(each)
        if len(found) == _MOST:
            break
    return found


def _inner(schema: Mapping[str, Any]) -> Iterator[object]:
    yield from schema.get("properties", {}).values()
    yield from (schema[key] for key in ("items", "additionalProperties") if key in schema)
    yield from (each for key in ("anyOf", "oneOf") for each in schema.get(key, ()))


def _wrong(schema: Mapping[str, Any] | bool, value: object, path: str) -> Iterator[str]:
    if isinstance(schema, bool):
        if not schema:
            yield f"{path or 'the arguments'}: nothing may stand here"
        return
    where = path or "the arguments"
    kinds = schema.get("type")
    if kinds is not None and not any(_is(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{where}: must be {_or([kinds] if isinstance(kinds, str) else kinds)}, not {_shown(value)}"
        return
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        yield f"{where}: must be {_or(list(map(_shown, schema['enum'])))}, not {_shown(value)}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{where}: must be {_shown(schema['const'])}"
    yield from _alternatives(schema, value, where, path)
    if isinstance(value, str):
        yield from _wrong_text(schema, value, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _wrong_number(schema, value, where)
    elif isinstance(value, Mapping):
        yield from _wrong_object(schema, value, where, path)
    elif isinstance(value, list):
        yield from _wrong_list(schema, value, where, path)


def _alternatives(schema: Mapping[str, Any], value: object, where: str, path: str) -> Iterator[str]:
    if "anyOf" in schema and all(_fails(each, value, path) for each in schema["anyOf"]):
        yield f"{where}: {_shown(value)} fits none of the forms that it may have"
    if "oneOf" in schema and sum(not _fails(each, value, path) for each in schema["oneOf"]) != 1:
        yield f"{where}: {_shown(value)} must fit exactly one of the forms that it may have"


def _fails(schema: Mapping[str, Any] | bool, value: object, path: str) -> bool:
    return next(_wrong(schema, value, path), None) is not None


def _wrong_text(schema: Mapping[str, Any], value: str, where: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{where}: must have at least {schema['minLength']} characters"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{where}: must have at most {schema['maxLength']} characters"
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield f"{where}: must match {schema['pattern']}"


def _wrong_number(schema: Mapping[str, Any], value: float, where: str) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"{where}: must be at least {schema['minimum']}, not {_shown(value)}"
    if value > schema.get("maximum", value):
        yield f"{where}: must be at most {schema['maximum']}, not {_shown(value)}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"{where}: must be above {schema['exclusiveMinimum']}, not {_shown(value)}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield f"{where}: must be below {schema['exclusiveMaximum']}, not {_shown(value)}"


def _wrong_object(schema: Mapping[str, Any], value: Mapping[str, Any], where: str, path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{_join(path, name)}: is missing"
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, inner in value.items():
        if name in properties:
            yield from _wrong(properties[name], inner, _join(path, name))
        elif others is False:
            known = f"; known are {', '.join(properties)}" if properties else ""
            yield f"{where}: there is no {_shown(name)}{known}"
        else:
            yield from _wrong(others, inner, _join(path, name))


def _wrong_list(schema: Mapping[str, Any], value: Sequence[Any], where: str, path: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{where}: must have at least {schema['minItems']} items"
    if len(value) > schema.get("maxItems", len(value)):
        yield f"{where}: must have at most {schema['maxItems']} items"
    for number, inner in enumerate(value):
        yield from _wrong(schema.get("items", True), inner, f"{path}[{number}]")


def _is(kind: str, value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "integer":
            return number and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        case "number":
            return number
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case _:
            return kind == "null" and value is None


def _same(one: object, other: object) -> bool:
    """1 and true are two values in JSON."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _join(path: str, name: str) -> str:
    return f"{path}.{name[:_SHOWN]}" if path else name[:_SHOWN]


def _or(kinds: Sequence[str]) -> str:
    return kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} or {kinds[-1]}"


def _shown(value: object) -> str:
    if isinstance(value, (Mapping, list)):
        return "an object" if isinstance(value, Mapping) else "a list"
    text = repr(value) if isinstance(value, str) else str(value).lower() if value is not None else "null"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
