"""The OpenAPI document: what FastAPI finds out about the routes, and what it cannot know."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.admission import CHAT_PATHS

_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": {"type": "string"}, "content": {}},
    "additionalProperties": True,
}
_REQUEST = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {
            "type": ["string", "null"],
            "description": "A configured name, else `provider/name`; without it the active session's or the default.",
        },
        "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
        "stream": {"type": ["boolean", "null"], "default": False},
    },
    "additionalProperties": True,
    "examples": [{"model": "demo/echo", "messages": [{"role": "user", "content": "Hello."}]}],
}
_COMPLETION = {
    "summary": "Chat Completion",
    "description": "The request goes to its model's provider, the answer comes back as it is; both are recorded.",
    "tags": ["completions"],
    "requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}},
    "responses": {
        "200": {
            "description": "The provider's answer; with `stream` as server-sent events.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/event-stream": {"schema": {"description": "Server-sent events."}},  # no type: each is an object
            },
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in (
                    ("X-Session-Id", "The session it belongs to."),
                    ("X-Session-Rule", "The rule by which the session was found."),
                    ("X-Exchange-Id", "The exchange, for /api/exchanges."),
                    ("X-Context-Tokens", "Estimated tokens of what went upstream."),
                    ("X-Context-Saved", "Estimated tokens that were received and did not go upstream."),
                    ("X-Context-Limit", "Tokens of the model's window."),
                    ("X-Event-Position", "The position of its first event."),
                )
            },
        },
        "default": {
            "description": "Refused, by the proxy or the provider.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIRefused"}}},
        },
    },
}


class DescribedApp(FastAPI):
    """With an OpenAPI document that says no less and no more than what holds."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for parameter in _parameters(document):
                parameter["schema"] = _without_null(parameter["schema"])
            for path in CHAT_PATHS:
                name = f"chat_completion_{path.strip('/').replace('/', '_')}"
                document["paths"][path] = {"post": {**_COMPLETION, "operationId": name}}
            self.openapi_schema = document
        return self.openapi_schema


def _parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for operation in path.values():
            yield from operation.get("parameters", ())


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is not null: neither headers nor addresses can say that."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1 or len(kinds) == len(schema["anyOf"]):
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **kinds[0]}
