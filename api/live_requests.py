"""What clients of /ws ask about memories (contract 5): checked, worked out beside the loop, answered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticKnownError

from api.errors import ApiError
from api.fields import MAX_INT
from api.live_frames import frame_of
from commands.errors import CommandError
from projections.waiting import ProjectionLagError

_AT_ONCE = 2  # requests of one client; more wait
_MOST_WAITING = 20
RequestId = Annotated[str, StringConstraints(min_length=1, max_length=200)] | Annotated[int, Field(ge=0, le=MAX_INT)]
Id = Annotated[int, Field(ge=1, le=MAX_INT)]


def _no_null(value: object) -> object:
    """Null is not absence: it must not widen what is done."""
    if value is None:
        raise PydanticKnownError("int_type")
    return value


IdOrAbsent = Annotated[Id | None, BeforeValidator(_no_null)]


class Asked(BaseModel):
    """Fields that are not named are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    requestId: RequestId


class CompressPreview(Asked):
    """`token` makes each longer memory shorter, `semantic` puts one in the place of those that say nearly the same;
    `threshold` is how much of its tokens a memory may keep, or how far apart they may be."""

    strategy: Literal["token", "semantic"] = "token"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.3
    session_id: IdOrAbsent = None


class CompressExecute(CompressPreview):
    dryRun: bool = False


class SimilaritySearch(Asked):
    """About a memory, or about a text; the other one may be null."""

    reference_id: Id | None = None
    reference_text: Annotated[str, StringConstraints(min_length=1, max_length=8_192)] | None = None
    method: Literal["cosine", "jaccard", "levenshtein"] = "cosine"
    threshold: Annotated[float, Field(ge=0.5, le=1)] = 0.75
    limit: Annotated[int, Field(ge=5, le=100)] = 20


Handler = Callable[[Any], Awaitable[BaseModel]]


class Answered(msgspec.Struct, frozen=True):
    """The type of the reply, and what makes it."""

    kind: str
    model: type[Asked]
    handler: Handler


class Requests:
    """`handlers` by the type of message. One for all clients."""

    def __init__(self, handlers: Mapping[str, Answered]) -> None:
        self._handlers = handlers

    def knows(self, kind: object) -> bool:
        return isinstance(kind, str) and kind in self._handlers

    async def reply(self, kind: str, fields: Mapping[str, object], position: Callable[[], int]) -> bytes:
        """The reply to a message of a known type, an error included."""
        answered = self._handlers[kind]
        try:
            asked = answered.model.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"][:1])
            return failure(position(), "invalid_field", f"{where}: {first['msg']}", fields.get("requestId"))
        try:
            result = await answered.handler(asked)
        except (CommandError, ApiError) as error:
            return failure(position(), error.code, error.message, asked.requestId)
        except ProjectionLagError:
            return failure(position(), "projection_lag", "The read tables are behind.", asked.requestId)
        shown = result.model_dump(exclude_none=True)
        return frame_of(answered.kind, position(), {"requestId": asked.requestId, "result": shown})


class ClientRequests:
    """Those of one client: a few at a time, each beside what else it says."""

    def __init__(self, requests: Requests, send: Callable[[bytes], None], position: Callable[[], int]) -> None:
        self._requests, self._send, self._position = requests, send, position
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, kind: str, fields: Mapping[str, object]) -> bool:
        """False for a type that is not known."""
        if not self._requests.knows(kind):
            return False
        if len(self._tasks) >= _MOST_WAITING:
            text = "Too much was asked for at once."
            self._send(failure(self._position(), "rate_limited", text, fields.get("requestId")))
            return True
        task = asyncio.get_running_loop().create_task(self._answer(kind, fields))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, kind: str, fields: Mapping[str, object]) -> None:
        async with self._limit:
            self._send(await self._requests.reply(kind, fields, self._position))


def failure(position: int, code: str, error: str, request: object = None) -> bytes:
    extra = {"requestId": request} if isinstance(request, str | int) and not isinstance(request, bool) else {}
    return frame_of("error", position, {"code": code, "error": error, **extra})
