"""What the table of pairs is made of."""

from typing import Any, Literal

import msgspec

Auth = Literal["api", "openai", "open", "rpc"]
Given = Literal["short", "long", "compacted", "pinned", "remembering", "recalled"]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` is in the notation of the contract (None: no JSON object), `events` are what a success appends, `bad` is
    a request (query, body) with the status and the code that refuse it."""

    row: str
    method: str
    path: str
    body: Any = None
    query: str = ""
    status: int = 200
    answer: str | None = None
    kind: str = "application/json"
    at: bool = False
    events: tuple[str, ...] = ()
    auth: Auth = "api"
    given: Given = "short"
    bad: tuple[str, Any, int, str]

    @property
    def described(self) -> str:
        """The path as the OpenAPI document names it."""
        return _DESCRIBED.get(self.path, self.path.partition("?")[0])


_DESCRIBED = {
    "/v1/models/demo/echo": "/v1/models/{model_id}",
    "/models/demo/echo": "/models/{model_id}",
    "/api/mask/{mask}": "/api/mask/{content_hash}",
    "/api/exchanges/{moving_id}/reassign": "/api/exchanges/{id}/reassign",
    "/api/mcp-gateway/pruner/rpc": "/api/mcp-gateway/{server_name}/rpc",
    "/api/memory/{forgotten_id}/restore": "/api/memory/{memory_id}/restore",
    "/api/memory/{promoted_id}/demote": "/api/memory/{memory_id}/demote",
    "/api/events/1": "/api/events/{position}",
}


def get(row: str, path: str, answer: str | None, bad: tuple[str, Any, int, str], **more: Any) -> Pair:
    return Pair(row=row, method="GET", path=path, answer=answer, bad=bad, **more)


def post(row: str, path: str, answer: str | None, bad: tuple[str, Any, int, str], **more: Any) -> Pair:
    return Pair(row=row, method="POST", path=path, answer=answer, bad=bad, **more)


INVALID = "invalid_field"
NO_AT = ("?at=1", None, 422, "at_not_supported")
