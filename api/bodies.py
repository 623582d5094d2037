"""Bodies of API writes, exactly as contract 1.1 says: size 413, type 415, JSON 400, fields 422, in this order.

`Annotated[Model, read(Model)]` is a route's way to its body; `documented(Model)` describes it in the OpenAPI text.
"""

from collections.abc import AsyncIterable
from typing import Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from api.errors import ApiError, InvalidFieldError
from api.json_objects import parsed
from api.large_bodies import LARGE, LargeBody
from api.reading import live_only
from api.services import Use


class RequestBody(BaseModel):
    """Base of all request bodies: nothing is coerced, unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class EmptyBody(RequestBody):
    """For writes that take no field; what is sent must be an object nevertheless."""


M = TypeVar("M", bound=RequestBody)


class BodyReader(Generic[M]):
    """A dependency that gives the request's body as `model`."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._large = LargeBody(field.alias or name for name, field in model.model_fields.items())

    async def __call__(self, request: Request, services: Use) -> M:
        """Raises ApiError."""
        data = await collected(request.stream(), services.max_body_bytes, request.headers.get("content-length"))
        if data:
            check_kind(request.headers.get("content-type"), request.headers.get("content-encoding"))
        fields = validated(self._model, parsed(data) if len(data) < LARGE else await self._large.read(data))
        live_only(request)
        request.state.raw_body = data
        return fields


def read(model: type[M]) -> BodyReader[M]:
    """A route's way to its body."""
    return BodyReader(model)


def raw_body(request: Request) -> bytes:
    """The bytes that `read` took in, empty where no dependency of the route reads a body."""
    data: bytes = getattr(request.state, "raw_body", b"")
    return data


def documented(model: type[RequestBody]) -> dict[str, object]:
    """The `openapi_extra` of a route that reads `model`."""
    return {"requestBody": {"content": {"application/json": {"schema": model.model_json_schema()}}}}


async def collected(chunks: AsyncIterable[bytes], limit: int, declared: str | None = None) -> bytes:
    """The whole body, up to `limit` bytes. Raises ApiError 413 as soon as it is known to be larger."""
    if declared is not None and declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        pieces.append(chunk)
    return b"".join(pieces)


def check_kind(content_type: str | None, encoding: str | None) -> None:
    """Whether the headers of a body say that it is JSON, and not packed. Raises ApiError 415."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(415, "unsupported_media_type", "Send the body as Content-Type: application/json.")
    packed = (encoding or "identity").strip().lower()
    if packed != "identity":
        text = f"Content-Encoding {packed[:40]} is not supported here: send the body as it is."
        raise ApiError(415, "unsupported_media_type", text)


def validated(model: type[M], fields: dict[str, object]) -> M:
    """Raises InvalidFieldError."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidFieldError({**entry, "loc": ("body", *entry["loc"])} for entry in details) from None


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"The body is larger than {limit} bytes.", context={"limit": limit})
