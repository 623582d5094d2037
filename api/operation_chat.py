"""Completions in the OpenAPI document: they pass by the framework, so that it knows nothing of them."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from api.operation_examples import Example, fill
from api.operation_headers import REQUEST_ID
from proxy.openai_errors import error_body

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
_REFUSED = (
    (
        400,
        "The body is no request for a completion",
        "messages must be a non-empty array.",
        None,
        "messages",
    ),
    (
        401,
        "The API key is missing or wrong",
        "Send the proxy's token or one of its client keys.",
        "invalid_api_key",
        None,
    ),
    (403, "The Host or the Origin is not allowed", "The Origin is not allowed.", "origin_not_allowed", None),
    (404, "There is no such model", "The model none does not exist.", "model_not_found", "model"),
    (413, "The body is too large", "The body is larger than 20971520 bytes.", "request_too_large", None),
    (415, "The body is not sent as JSON", "Send the body as application/json.", "unsupported_media_type", None),
    (422, "It has no past", "This address has no past: it does not take `at`.", "at_not_supported", None),
    (429, "A limit allows no more now", "40 requests a minute are allowed.", "rate_limit_exceeded", None),
    (502, "The provider gave no answer", "The provider cannot be reached.", "upstream_unreachable", None),
    (504, "The provider took too long", "No byte within the read timeout.", "upstream_timeout", None),
)
_OWN_OR_THE_PROVIDERS = {
    "anyOf": [{"$ref": "#/components/schemas/OpenAIRefused"}, {"description": "What the provider said, as it came."}]
}
_RETRY_AFTER = ("Retry-After", "Seconds after which it may be sent again, where that is known.")
_PASSED_ON = (
    _RETRY_AFTER,
    ("X-Session-Id", "The session it belongs to."),
    ("X-Session-Rule", "The rule by which the session was found."),
    ("X-Exchange-Id", "The exchange, for /api/exchanges."),
    ("X-Context-Tokens", "Estimated tokens of what went upstream."),
    ("X-Context-Saved", "Estimated tokens that were received and did not go upstream."),
    ("X-Context-Limit", "Tokens of the model's window."),
    ("X-Event-Position", "The position of its first event."),
)


def completion(path: str, example: Example, security: list[dict[str, list[str]]], *, guarded: bool) -> dict[str, Any]:
    """The operation at `path`. `guarded`: credentials are asked for."""
    operation: dict[str, Any] = {
        "operationId": f"chat_completion_{path.strip('/').replace('/', '_')}",
        "summary": "Chat Completion",
        "description": "The request goes to its model's provider, the answer comes back as it is; both are recorded. "
        "Where the provider refuses, its status and its body come back too: an error is in the shape of the OpenAI API "
        "where it is the proxy's own, else in whatever form the provider gave it.",
        "tags": ["completions"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": copy.deepcopy(_REQUEST)}}},
        "responses": {
            "200": {
                "description": "The provider's answer; with `stream` as server-sent events.",
                "content": {
                    "application/json": {"schema": {"type": "object"}},
                    "text/event-stream": {"schema": {"description": "Server-sent events."}},  # each is an object
                },
                "headers": _headers(_PASSED_ON[1:]),
            },
            **{
                str(status): _refused(status, text, error_body(status, said, code, param), code or "invalid_request")
                for status, text, said, code, param in _REFUSED
                if guarded or status != 401
            },
            "default": {
                "description": "What the provider refused with, as it came.",
                "content": {"application/json": {}, "*/*": {}},
                "headers": _headers(_PASSED_ON),
            },
        },
        "security": security,
    }
    fill(operation, example)
    return operation


def _refused(status: int, text: str, body: bytes, name: str) -> dict[str, Any]:
    return {
        "description": f"{text}; or the provider's refusal, as it came",
        "content": {
            "application/json": {
                "schema": copy.deepcopy(_OWN_OR_THE_PROVIDERS),
                "examples": {name: {"value": json.loads(body)}},
            },
            "*/*": {},
        },
        "headers": _headers(_PASSED_ON),
    }


def _headers(named: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in (REQUEST_ID, *named)}
