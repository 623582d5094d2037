"""What clients give to be remembered, checked (contract 35)."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, Field

from api.bodies import RequestBody
from api.fields import MAX_INT, UNICODE
from schema.blobs import content_ref
from schema.recorded import Body

LEAST = 10  # characters
MOST_BYTES = 1 << 20
_MOST_METADATA = 64 << 10


def _content(text: str) -> str:
    text = text.strip()
    if len(text) < LEAST:
        raise ValueError(f"must have at least {LEAST} characters beside white space")
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"must not be longer than {MOST_BYTES} bytes")
    return text


def _metadata(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if not _plain(value):
        raise ValueError("must hold texts of Unicode and integers of up to 53 bits only")
    if len(msgspec.json.encode(value)) > _MOST_METADATA:
        raise ValueError(f"must not be longer than {_MOST_METADATA} bytes")
    return value


def _plain(value: object) -> bool:
    """Whether it goes into JSON and comes back the same; level by level, for it may be deep."""
    level = [value]
    while level:
        if not all(_is_plain(each) for each in level):
            return False
        level = [inner for each in level for inner in _inside(each)]
    return True


def _is_plain(value: object) -> bool:
    match value:
        case str():
            return not any("\ud800" <= char <= "\udfff" for char in value)
        case bool() | float() | None | dict() | list():
            return True
        case int():
            return abs(value) <= MAX_INT
        case _:
            return False


def _inside(value: object) -> list[object]:
    match value:
        case dict():
            return [*value.keys(), *value.values()]
        case list():
            return value
        case _:
            return []


Content = Annotated[str, Field(max_length=MOST_BYTES), UNICODE, AfterValidator(_content)]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]


class StoreBody(RequestBody):
    """`content` is kept without white space around it; metadata may have a `title`."""

    content: Content = Field(examples=["The staging database listens on port 5433."])
    memory_type: Literal["episodic", "frequent", "semantic"] = "episodic"
    metadata: Metadata | None = None


def body_of(text: str) -> Body:
    data = text.encode()
    return Body(content_ref(data), data)


def preview_of(text: str, most: int = 200) -> str:
    """The beginning on one line."""
    return " ".join(text[: 4 * most].split())[:most]
