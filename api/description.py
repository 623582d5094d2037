"""The OpenAPI document: what FastAPI finds out about the routes, and what it cannot know."""

import json
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.admission import CHAT_PATHS
from api.gate import Area
from api.operation_chat import completion
from api.operation_examples import Example, fill, recorded
from api.operation_headers import answer_headers, parameters
from api.operation_kinds import Kind, kind_of
from api.operation_pages import pages
from api.operation_refusals import examples as refusal_examples
from api.operation_refusals import refusals
from api.shapes import Refused

_GENERAL = ("422", "default")  # what FastAPI describes without looking
_UNUSED = ("HTTPValidationError", "ValidationError")
_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "`server.token`; on the paths of the OpenAI API one of the clients' keys does too.",
    }
}


class Guard(msgspec.Struct, frozen=True):
    """Whether the management API and the paths of the OpenAI API ask for credentials."""

    api: bool = False
    openai: bool = False

    def of(self, area: Area) -> bool:
        return {"api": self.api, "openai": self.openai, "open": False}[area]


class DescribedApp(FastAPI):
    """With an OpenAPI document that says no less and no more than what holds. `described_routes` are all of it, `guard`
    says what asks for credentials: both are set before the document is made."""

    described_routes: Sequence[APIRoute] = ()
    guard = Guard()
    _described: bytes | None = None

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._making = Lock()

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            examples = recorded()
            for kind, operation in self._operations(document):
                _complete(kind, operation, guarded=self.guard.of(kind.area))
                fill(operation, examples.get(kind.key, Example()))
            for path in CHAT_PATHS:
                example, guarded = examples.get(f"POST {path}", Example()), self.guard.openai
                security = _security("openai", guarded=guarded)
                document["paths"][path] = {"post": completion(path, example, security, guarded=guarded)}
            for path, page in pages(_security("open", guarded=self.guard.api)).items():
                document["paths"][path] = {"get": page}
            schemas = document["components"]["schemas"]
            document["components"]["schemas"] = {
                **{name: each for name, each in schemas.items() if name not in _UNUSED},
                "Refused": Refused.model_json_schema(),
            }
            document["components"]["securitySchemes"] = _SCHEMES
            document["components"]["examples"] = _used(refusal_examples(), document["paths"])
            self.openapi_schema = document
        return self.openapi_schema

    def described(self) -> bytes:
        """The document as it is sent, made once."""
        with self._making:
            if self._described is None:
                self._described = json.dumps(self.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
            return self._described

    def _operations(self, document: dict[str, Any]) -> Iterator[tuple[Kind, dict[str, Any]]]:
        for route in self.described_routes:
            for method in sorted(route.methods or ()):
                yield kind_of(route, method), document["paths"][route.path_format][method.lower()]


def _complete(kind: Kind, operation: dict[str, Any], *, guarded: bool) -> None:
    found = [{**each, "schema": _without_null(each["schema"])} for each in operation.pop("parameters", [])]
    if named := parameters(kind, found):
        operation["parameters"] = named
    answers = {status: each for status, each in operation["responses"].items() if status not in _GENERAL}
    for status, refused in refusals(kind, guarded=guarded).items():
        answers[status] = _both(answers[status], refused) if status in answers else refused
    for status, each in answers.items():
        each["headers"] = answer_headers(kind, status)
    operation["responses"] = answers
    operation["security"] = _security(kind.area, guarded=guarded)


def _used(examples: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(paths)
    return {name: each for name, each in examples.items() if f'"#/components/examples/{name}"' in text}


def _both(known: dict[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    """A status that a route names itself, and that is answered to others too: its own schema has to hold for both."""
    examples = refused["content"]["application/json"]["examples"]
    content = {**known["content"]["application/json"], "examples": examples}
    return {"description": refused["description"], "content": {"application/json": content}}


def _security(area: Area, *, guarded: bool) -> list[dict[str, list[str]]]:
    """Without credentials an open path says less, so they are optional there, as they are where none is configured."""
    return [{"bearer": []}] if guarded and area != "open" else [{}, {"bearer": []}]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is not null: neither headers nor addresses can say that."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1 or len(kinds) == len(schema["anyOf"]):
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **kinds[0]}
