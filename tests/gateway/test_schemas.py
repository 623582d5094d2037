"""Arguments against schemas: as the library for JSON Schema judges, and in words."""

import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.schemas import UnknownSchemaError, complaints, require_known

jsonschema: Any = importlib.import_module("jsonschema")  # comes with the SDK, without types

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]+$"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 10},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "mode": {"enum": ["a", "b", 1]},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "either": {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
        "one": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]},
        "kind": {"const": "x"},
        "more": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["path"],
    "additionalProperties": False,
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 12)
    | st.sampled_from([0.5, 1.0, 7.0, 1.5, "a", "b", "x", "", "longer", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "unknown"]), VALUES, max_size=4)


@given(ARGUMENTS)
def test_it_judges_as_the_library_does(arguments: Any) -> None:
    assert bool(complaints(SCHEMA, arguments)) != jsonschema.Draft202012Validator(SCHEMA).is_valid(arguments)


def test_it_says_what_is_wrong() -> None:
    assert complaints(SCHEMA, {"limit": "3", "tags": ["a", 1], "other": 1}) == [
        "path: is missing",
        "limit: must be integer, not '3'",
        "tags[1]: must be string, not 1",
        "the arguments: there is no 'other'; known are path, limit, ratio, mode, tags, either, one, kind, more",
    ]


def test_no_more_than_five_complaints() -> None:
    assert len(complaints({"type": "array", "items": {"type": "string"}}, list(range(1_000)))) == 5


def test_long_values_are_cut() -> None:
    assert len(complaints({"enum": ["a"]}, "x" * 10_000)[0]) < 120


@pytest.mark.parametrize(
    "schema", [{"allOf": []}, {"properties": {"a": {"$ref": "#"}}}, {"items": {"contains": {}}}, [1]]
)
def test_what_is_not_checked_is_not_taken(schema: Any) -> None:
    with pytest.raises(UnknownSchemaError):
        require_known(schema)
    require_known(SCHEMA)
