"""Real requests and answers, one of each operation: what `python -m tests.contract.make_examples` has recorded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

FILE = Path(__file__).with_name("operation_examples.json")


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """`answers` by status, then by media type; a text is its beginning. `refusals` by their codes."""

    request: Any = None
    answers: Mapping[str, Mapping[str, Any]] = {}
    refusals: Mapping[str, Any] = {}


def recorded() -> Mapping[str, Example]:
    """By method and path, as `POST /api/sessions`."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Example])


def fill(operation: dict[str, Any], example: Example) -> None:
    """Put the examples into an operation of an OpenAPI document."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:  # an empty body is an empty object
        content["application/json"]["example"] = {} if example.request is None else example.request
    for status, answers in example.answers.items():
        described = operation["responses"].get(status, {}).get("content", {})
        for media, value in answers.items():
            if media in described:
                described[media]["example"] = value
    for response in operation["responses"].values():
        shown = response.get("content", {}).get("application/json", {}).get("examples", {})
        shown.update({code: {"value": body} for code, body in example.refusals.items() if code in shown})
