"""What comes to the gateway, what goes back, and what holds for a server."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec

from gateway.jsonrpc import Message
from gateway.tools import Caller

SESSION_HEADER = "mcp-session-id"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`tools` are the names (with `*`) that may be listed and called, empty for all."""

    timeout_s: float = 30.0
    tools: tuple[str, ...] = ()

    def allows(self, tool: str) -> bool:
        return not self.tools or any(fnmatchcase(tool, pattern) for pattern in self.tools)


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer; an empty `body` for a notification."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Incoming(msgspec.Struct, frozen=True):
    """A message with whose it is; `headers` have names in lower case. `scope` names the client where it names itself:
    who does not can cancel nothing."""

    message: Message
    caller: Caller
    headers: Mapping[str, str] = {}
    scope: str | None = None
