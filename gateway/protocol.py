"""The two eras of the Model Context Protocol, as far as the gateway has to know them. Pure.

Up to 2025-11-25 a client shakes hands (`initialize`) and may be given an Mcp-Session-Id. From 2026-07-28 on each
request stands alone and says its version in `params._meta` and in headers.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from gateway.jsonrpc import INVALID_PARAMS, Call, Refusal
from gateway.tools import InProcessServer

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_CACHEABLE = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")


def is_modern(call: Call, headers: Mapping[str, str]) -> bool:
    """Whether the request is of the stateless era. Raises Refusal (400) where it is and does not say so rightly."""
    meta = call.params.get("_meta")
    version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    header = headers.get("mcp-protocol-version")
    if version is None and (header is None or header in HANDSHAKE_VERSIONS):
        return False
    if not isinstance(meta, dict) or not isinstance(version, str) or CAPABILITIES_KEY not in meta:
        text = f"params._meta must hold {VERSION_KEY} and {CAPABILITIES_KEY}."
        raise Refusal(400, INVALID_PARAMS, "envelope_incomplete", text)
    if version in HANDSHAKE_VERSIONS:
        return False
    _check_headers(call, version, headers)
    if version not in MODERN_VERSIONS:
        supported = [*HANDSHAKE_VERSIONS, *MODERN_VERSIONS]
        data = {"supported": supported, "requested": version}
        raise Refusal(400, UNSUPPORTED_VERSION, "unsupported_version", "Unsupported protocol version.", data=data)
    return True


def initialized(params: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to `initialize`: the client's version where it is known, else the newest with a handshake."""
    wanted = params.get("protocolVersion")
    version = wanted if wanted in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
    return {"protocolVersion": version, **identity}


def discovered(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to `server/discover`."""
    rest = {key: value for key, value in identity.items() if key != "serverInfo"}
    return {
        "supportedVersions": [*HANDSHAKE_VERSIONS, *MODERN_VERSIONS],
        **rest,
        "_meta": {SERVER_KEY: identity["serverInfo"]},
    }


def identity_of(server: InProcessServer) -> dict[str, Any]:
    """What a server says of itself."""
    found: dict[str, Any] = {
        "capabilities": {"tools": {}},
        "serverInfo": {"name": server.name, "version": server.version},
    }
    return found | ({"instructions": server.instructions} if server.instructions else {})


def modern_result(method: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what the stateless era asks of every one; lists are private and stale at once."""
    cached = {"ttlMs": 0, "cacheScope": "private"} if method in (*_CACHEABLE, "server/discover") else {}
    return {"resultType": "complete", **cached, **result}


def handshake_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result of a stateless server for a client of before."""
    return {key: value for key, value in result.items() if key not in ("resultType", "ttlMs", "cacheScope")}


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without the envelope of the stateless era: what a server of any era is called with."""
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        return dict(params)
    kept = {key: value for key, value in meta.items() if key not in (VERSION_KEY, CAPABILITIES_KEY, CLIENT_KEY)}
    rest = {key: value for key, value in params.items() if key != "_meta"}
    return rest | ({"_meta": kept} if kept else {})


def header_text(value: str | None) -> str | None:
    """A header's value that may be wrapped as `=?base64?...?=`; None where the wrapping is wrong."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def wrapped(value: str) -> str:
    """A text as a header's value: wrapped where it would not come through."""
    plain = value.isascii() and value.isprintable() and value == value.strip() and not value.startswith("=?base64?")
    return value if plain else f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def _check_headers(call: Call, version: str, headers: Mapping[str, str]) -> None:
    """Each header that is there must say what the body says: who routes by headers would be misled otherwise."""
    said = [("mcp-protocol-version", version), ("mcp-method", call.method)]
    named = call.params.get(NAMED.get(call.method, ""))
    if isinstance(named, str):
        said.append(("mcp-name", named))
    for name, value in said:
        given = header_text(headers[name]) if name in headers else value
        if given != value:
            raise Refusal(
                400, HEADER_MISMATCH, "header_mismatch", f"The header {name} does not say what the body says."
            )
