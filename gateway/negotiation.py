"""Shaking hands with a server outside, in the era that it knows. A server of before might never answer a question that
comes before `initialize`, so that is asked first; `server/discover` is for those that have given it up."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from gateway.backend import Invalid
from gateway.jsonrpc import METHOD_NOT_FOUND
from gateway.protocol import (
    CAPABILITIES_KEY,
    CLIENT_KEY,
    HANDSHAKE_VERSIONS,
    MODERN_VERSIONS,
    NAMED,
    SERVER_KEY,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    wrapped,
)
from gateway.tools import RpcError

Send = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
_GIVEN_UP = (METHOD_NOT_FOUND, UNSUPPORTED_VERSION)
NOBODY: dict[str, Any] = {"capabilities": {"tools": {}}, "serverInfo": {"name": "unknown", "version": "0"}}


class Agreed(msgspec.Struct, frozen=True):
    """`version` of the protocol, and what the server says of itself."""

    version: str
    identity: Mapping[str, Any]
    client: Mapping[str, str]

    @property
    def modern(self) -> bool:
        return self.version in MODERN_VERSIONS

    def params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as this server wants them."""
        if not self.modern:
            return dict(params)
        meta = params.get("_meta")
        return {**params, "_meta": {**(meta if isinstance(meta, dict) else {}), **_envelope(self.version, self.client)}}

    def headers(self, method: str, params: Mapping[str, Any]) -> dict[str, str]:
        """What an HTTP request says beside its body."""
        found = {"MCP-Protocol-Version": self.version}
        if self.modern:
            found["Mcp-Method"] = method
            named = params.get(NAMED.get(method, ""))
            if isinstance(named, str):
                found["Mcp-Name"] = wrapped(named)
        return found


async def negotiate(send: Send, notify: Send, client: Mapping[str, str]) -> Agreed:
    """Raises RpcError where the server refuses both ways, Invalid, and what `send` raises."""
    hello = {"protocolVersion": HANDSHAKE_VERSIONS[-1], "capabilities": {}, "clientInfo": dict(client)}
    try:
        result = await send("initialize", hello)
    except RpcError as error:
        if error.code not in _GIVEN_UP:
            raise
        return await _discover(send, client)
    version = result.get("protocolVersion")
    if version not in HANDSHAKE_VERSIONS:
        raise Invalid(f"The server speaks version {str(version)[:40]!r} of the protocol, which is not known here.")
    await notify("notifications/initialized", {})
    return Agreed(str(version), _identity(result, result.get("serverInfo")), client)


async def _discover(send: Send, client: Mapping[str, str]) -> Agreed:
    version = MODERN_VERSIONS[-1]
    result = await send("server/discover", {"_meta": _envelope(version, client)})
    supported = result.get("supportedVersions")
    mutual = [each for each in MODERN_VERSIONS if isinstance(supported, list) and each in supported]
    if not mutual:
        raise Invalid("The server knows no version of the protocol that is known here.")
    meta = result.get("_meta")
    return Agreed(mutual[-1], _identity(result, meta.get(SERVER_KEY) if isinstance(meta, dict) else None), client)


def _envelope(version: str, client: Mapping[str, str]) -> dict[str, Any]:
    return {VERSION_KEY: version, CAPABILITIES_KEY: {}, CLIENT_KEY: dict(client)}


def _identity(result: Mapping[str, Any], info: object) -> dict[str, Any]:
    """What may be said on to clients."""
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    found: dict[str, Any] = {
        "capabilities": capabilities if isinstance(capabilities, dict) else {},
        "serverInfo": info if isinstance(info, dict) else NOBODY["serverInfo"],
    }
    return found | ({"instructions": instructions} if isinstance(instructions, str) else {})
