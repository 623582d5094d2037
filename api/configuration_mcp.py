"""Section [mcp]: the servers behind the gateway, and what it does with their answers."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, Field, field_validator, model_validator

from api.configuration_types import STRICT, Url, sendable_headers

BUILTIN = ("context-compression", "sequential-thinking", "fast-filesystem", "json-query", "pruner")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_DEFAULT_MS = 30_000
_THINKING_MS = 60_000
Transport = Literal["builtin", "http", "stdio"]


class Section(BaseModel):
    """As the sections of configuration_sections.py."""

    model_config = STRICT


class McpServer(Section):
    """A server outside, or one of the five with other settings. `stateful`: one child for each client of a stdio
    server, because it remembers things between calls."""

    transport: Transport | None = None
    url: Url = ""
    headers: dict[str, str] = Field(default={}, repr=False)
    private: bool = False
    command: str = ""
    args: list[str] = Field(default=[], repr=False)
    env: dict[str, str] = Field(default={}, repr=False)
    timeout_ms: int = Field(default=_DEFAULT_MS, ge=100, le=3_600_000)
    idle_seconds: float = Field(default=600.0, ge=1, le=86_400)
    stateful: bool = False
    tools: list[str] = []

    @property
    def kind(self) -> Transport:
        """The transport, by what is given where it is not named."""
        return self.transport or ("http" if self.url else "stdio" if self.command else "builtin")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        return sendable_headers(headers)

    @field_validator("env")
    @classmethod
    def _settable(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise ValueError(f"{name!r} cannot be set in an environment")
        return env

    @model_validator(mode="after")
    def _whole(self) -> "McpServer":
        if "@" in urlsplit(self.url).netloc:
            raise ValueError(
                "has a name or a password in its url, which is not sent: put it into headers, Authorization"
            )
        if self.url and self.command:
            raise ValueError("has a url and a command: a server has one of them")
        wanted = {"http": self.url, "stdio": self.command, "builtin": "-"}[self.kind]
        if not wanted:
            raise ValueError(f"needs a {'url' if self.kind == 'http' else 'command'} for transport {self.kind!r}")
        return self


class FastFilesystem(Section):
    """`roots` are the folders that fast-filesystem and json-query reach; without one they reach nothing."""

    roots: list[str] = []
    writable: bool = False


class Mcp(Section):
    servers: dict[Annotated[str, Field(pattern=_NAME)], McpServer] = {}
    fast_filesystem: FastFilesystem = FastFilesystem()
    mask_chars: int = Field(default=4_000, ge=0, le=1 << 30)
    memory_tools: list[str] = ["memory*", "retrieve*"]

    @field_validator("servers")
    @classmethod
    def _there(cls, servers: dict[str, McpServer]) -> dict[str, McpServer]:
        for name, entry in servers.items():
            if entry.kind == "builtin" and name not in BUILTIN:
                raise ValueError(f"{name} needs a command or a url: built in are {', '.join(BUILTIN)}")
            if "__" in name:
                raise ValueError(f"{name}: two underscores part a server from its tool")
        return servers

    def timeout_s(self, name: str) -> float:
        """Of one server; thinking may take longer."""
        entry = self.servers.get(name)
        if entry is not None and "timeout_ms" in entry.model_fields_set:
            return entry.timeout_ms / 1_000
        return (_THINKING_MS if name == "sequential-thinking" else _DEFAULT_MS) / 1_000

    def secrets(self) -> set[str]:
        """What must not be shown of it."""
        found: set[str] = set()
        for entry in self.servers.values():
            found |= {*entry.env.values(), *entry.headers.values()}
        return found

    def public(self) -> dict[str, Any]:
        """Without secrets: variables and headers by name, arguments by their number."""
        return {**self.model_dump(exclude={"servers"}), "servers": {key: _shown(e) for key, e in self.servers.items()}}


def _shown(entry: McpServer) -> dict[str, Any]:
    own = entry.model_dump(exclude={"headers", "env", "args", "url"})
    parts = urlsplit(entry.url)
    url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return {
        **own,
        "transport": entry.kind,
        "url": url,
        "args": len(entry.args),
        "headers": sorted(entry.headers),
        "env": sorted(entry.env),
    }
