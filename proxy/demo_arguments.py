"""Arguments for a tool of the demo provider: a small value that fits a JSON schema as well as that is told there."""

from collections.abc import Mapping, Sequence

_DEPTH = 16  # levels of nesting; a schema that refers to itself ends there
_SMALL: Mapping[str, object] = {"boolean": True, "null": None}
_LONGEST = 1_000  # characters or items, whatever a schema asks for
_MOST_VALUES = 2_000  # in all, since a schema can multiply itself at every level


def arguments_for(schema: object) -> dict[str, object]:
    """An object with the properties that `schema`, a tool's `parameters`, requires; empty where it is no schema."""
    value = _value(schema, _Filling(schema), _DEPTH)
    return value if isinstance(value, dict) else {}


class _Filling:
    """The schema in which references are looked up, and how many values may still be made."""

    def __init__(self, root: object) -> None:
        self.root = root
        self.left = _MOST_VALUES


def _value(schema: object, filling: _Filling, depth: int) -> object:
    filling.left -= 1
    if not isinstance(schema, dict) or depth == 0 or filling.left < 0:
        return {}
    for key in ("const", "default"):
        if key in schema:
            given: object = schema[key]
            return given
    for key in ("enum", "examples"):
        if _items(schema.get(key)):
            return _items(schema[key])[0]
    target = _meant(schema, filling.root)
    return _of_type(schema, filling, depth) if target is None else _value(target, filling, depth - 1)


def _meant(schema: dict[str, object], root: object) -> object | None:
    """Another schema that stands for this one: what `$ref` names, or the first alternative."""
    ref = schema.get("$ref")
    if isinstance(ref, str):
        return _referred(ref, root)
    for key in ("anyOf", "oneOf"):
        if _items(schema.get(key)):
            return _items(schema[key])[0]
    parts = [part for part in _items(schema.get("allOf")) if isinstance(part, dict)]
    return _merged(parts) if parts else None


def _referred(ref: str, root: object) -> object:
    found = root
    for step in ref.removeprefix("#").split("/")[1:]:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if found is not None else {}


def _merged(parts: Sequence[dict[str, object]]) -> dict[str, object]:
    merged: dict[str, object] = {key: value for part in parts for key, value in part.items()}
    objects = [part.get("properties") for part in parts]
    merged["properties"] = {key: value for each in objects if isinstance(each, dict) for key, value in each.items()}
    merged["required"] = [name for part in parts for name in _items(part.get("required"))]
    return merged


def _of_type(schema: dict[str, object], filling: _Filling, depth: int) -> object:
    kinds = schema.get("type")
    kind = next((each for each in _items(kinds) if each != "null"), "null") if isinstance(kinds, list) else kinds
    match kind:
        case "string":
            text = "demo"
            return text.ljust(min(_whole(schema.get("minLength")), _LONGEST), ".")[: _limit(schema.get("maxLength"))]
        case "integer" | "number":
            return _number(schema)
        case "array":
            wanted = min(_whole(schema.get("minItems")), _LONGEST)
            return [_value(schema.get("items", {}), filling, depth - 1) for _ in range(wanted)]
        case "boolean" | "null":
            return _SMALL[kind]
        case _:
            return _object(schema, filling, depth)


def _object(schema: dict[str, object], filling: _Filling, depth: int) -> dict[str, object]:
    known = schema.get("properties")
    properties = known if isinstance(known, dict) else {}
    required = [name for name in _items(schema.get("required")) if isinstance(name, str)]
    return {name: _value(properties.get(name, {"type": "string"}), filling, depth - 1) for name in required}


def _number(schema: dict[str, object]) -> int | float:
    """1 where that is allowed, else the nearest bound."""
    value: int | float = 1
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(above, int | float) and value <= above:
        value = above + 1
    if isinstance(below, int | float) and value >= below:
        value = below - 1
    if isinstance(least, int | float):
        value = max(value, least)
    if isinstance(most, int | float):
        value = min(value, most)
    step = schema.get("multipleOf")
    if isinstance(step, int) and step > 0:
        value = -(-value // step) * step
    return int(value) if float(value).is_integer() else value


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _limit(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
