"""What the gateway needs of a server, wherever it runs."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from gateway.jsonrpc import INTERNAL_ERROR
from gateway.tools import Caller, RpcError


class Down(Exception):
    """The server could not be reached, or went away before it answered. `told` says that it may have begun with the
    call. A failure of the server, not of the call."""

    reason = "upstream_unreachable"

    def __init__(self, message: str, *, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


class Silent(Down):
    """It did not answer in time."""

    reason = "upstream_timeout"


class Invalid(Exception):
    """It answered with what is no JSON-RPC."""

    reason = "upstream_invalid"


class Odd(Invalid):
    """It answered with what is neither a result nor an error of JSON-RPC, such as a page that asks for a password."""

    reason = "upstream_error"


class Relayed(RpcError):
    """An error that a server outside answered with; `raw` is its error object as it came."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        code, message = raw.get("code"), raw.get("message")
        number = code if isinstance(code, int) and not isinstance(code, bool) else INTERNAL_ERROR
        super().__init__(number, message if isinstance(message, str) else "", "rpc_error")
        self.raw: dict[str, Any] = dict(raw)


class Checked(msgspec.Struct, frozen=True):
    """What a look at a server found. `error` is in words, None where all is well; `tools` are the names of its tools,
    None where unknown."""

    connected: bool
    tools: tuple[str, ...] | None = None
    error: str | None = None


def names_of(listed: Mapping[str, Any]) -> tuple[str, ...]:
    """Of the tools in a result of tools/list."""
    tools = listed.get("tools")
    return tuple(str(each.get("name")) for each in tools if isinstance(each, dict)) if isinstance(tools, list) else ()


class Backend(Protocol):
    """One server. `address` is shown to people: `builtin:`, an address without secrets, or a command."""

    name: str
    transport: str
    address: str

    async def identity(self) -> Mapping[str, Any]:
        """Capabilities, serverInfo and instructions, as far as the server says them in time."""

    def masks(self, tool: str) -> bool:
        """Whether long texts of the tool are shortened."""

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """The result. Raises RpcError with what the server answered, Down, Silent, or Invalid. Cancelling it cancels
        the call."""

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None:
        """Pass a notification on, where the server is there."""

    async def check(self) -> Checked:
        """Whether it can be reached, looked up anew."""

    @property
    def resting(self) -> bool:
        """Whether it keeps failing, so that it could be called after a while only."""

    async def aclose(self) -> None:
        """Stop what belongs to it."""
