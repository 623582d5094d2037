"""The pages in the OpenAPI document, which are files and no routes, and what it says of the whole."""

from typing import Any

from api.operation_headers import REQUEST_ID

_REFUSED = {"$ref": "#/components/schemas/Refused"}
_MEANT = {
    "403": ("The Host is not allowed", "host_not_allowed"),
    "422": ("It has no past", "at_not_supported"),
}
ABOUT = """\
Beside what each operation names, any address may answer `405` (`method_not_allowed`, with `Allow`) to a method that it
does not have, `404` where there is nothing, `408` (`request_timeout`) to a request that does not come whole in time,
`414` (`uri_too_long`) and `431` (`head_too_large`) to addresses and heads that are too large, each in the shape of the
errors of its path; where a token is configured, also `401`.

[`/ws`](/ws) is a WebSocket and no operation: one text frame is one JSON object with `type` and `position`. It takes
`after`, `session_id` and `feed=events` in the query, and the token as header or as the subprotocols
`chronoproxy, bearer.TOKEN`. Its messages stand in `docs/live.md`."""


def pages(security: list[dict[str, list[str]]]) -> dict[str, dict[str, Any]]:
    """The operations by path, each of GET."""
    html = {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"}}
    icon = {"image/x-icon": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "/": _page("dashboard", "Dashboard", "The page, which works on this API alone.", html, security),
        "/favicon.ico": _page("favicon", "Icon", "The icon of the page.", icon, security),
    }


def _page(
    name: str, summary: str, text: str, content: dict[str, Any], security: list[dict[str, list[str]]]
) -> dict[str, Any]:
    headers = {REQUEST_ID[0]: {"description": REQUEST_ID[1], "schema": {"type": "string"}}}
    refused = {
        status: {
            "description": meant,
            "content": {
                "application/json": {
                    "schema": _REFUSED,
                    "examples": {code: {"$ref": f"#/components/examples/api_{code}"}},
                }
            },
            "headers": headers,
        }
        for status, (meant, code) in _MEANT.items()
    }
    return {
        "operationId": f"page_{name}",
        "summary": summary,
        "description": text,
        "tags": ["pages"],
        "responses": {"200": {"description": text, "content": content, "headers": headers}, **refused},
        "security": security,
    }
