"""Strict field types of requests (contract 1.1): no coercion, and only text that is Unicode."""

import re
from typing import Annotated, Any

from annotated_types import Interval
from fastapi import Path, Query
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError, PydanticKnownError

MAX_INT = 2**53 - 1
_TIME = 64  # characters
_INT = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _unicode(text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise PydanticKnownError("string_unicode")
    return text


def _int_text(value: object) -> object:
    if isinstance(value, str):
        if not _INT.fullmatch(value):
            raise PydanticKnownError("int_parsing")
        return int(value)
    return value


def _flag_text(value: object) -> object:
    if isinstance(value, str):
        if value not in _FLAGS:
            raise PydanticCustomError("bool_parsing", "Input should be true, false, 1 or 0")
        return _FLAGS[value]
    return value


UNICODE = AfterValidator(_unicode)  # beside `str` in a body's field; strictness is set for bodies as a whole

BodyId = Annotated[int, Field(ge=1, le=MAX_INT)]


def position_or_time(least: int) -> BeforeValidator:
    """Stands around a union of both: what is neither is one mistake in one field, not one of each kind."""

    def check(value: object) -> object:
        if isinstance(value, str) and 0 < len(value) <= _TIME:
            return _unicode(value)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_INT:
            return value
        raise PydanticCustomError("moment", "Input should be an event position or an ISO-8601 time")

    return BeforeValidator(check)


def without_default(schema: dict[str, Any]) -> None:
    """For a field whose absence means something that no value of its own says: the description names no default."""
    schema.pop("default", None)


# In addresses and headers everything is text. Limits stand before FROM_TEXT, so that the description shows them.
FROM_TEXT = BeforeValidator(_int_text)
TextFlag = Annotated[bool, BeforeValidator(_flag_text)]
TextPosition = Annotated[int, Interval(ge=0, le=MAX_INT), FROM_TEXT]
TextId = Annotated[int, Interval(ge=1, le=MAX_INT), FROM_TEXT]
PathId = Annotated[TextId, Path()]
Offset = Annotated[TextPosition, Query()]
QueryId = Annotated[TextId | None, Query()]
QueryText = Annotated[str | None, Query(max_length=500)]
