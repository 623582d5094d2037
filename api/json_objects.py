"""JSON objects as contract 1.1 wants them: no NaN, nothing nested more than 128 deep, one object. Pure."""

import json
import math
import re
from decimal import Decimal

from api.errors import ApiError
from context.json_depth import within_depth

MAX_DEPTH = 128
_INT_DIGITS = 20  # no valid integer has more
_UNUSUAL = re.compile(rb"[0-9]{%d}|[0-9.][eE]" % _INT_DIGITS)
_SPACE = b" \t\r\n"


def parsed(data: bytes) -> dict[str, object]:
    """The JSON object in `data`, `{}` where it is empty. Raises ApiError 400.

    Numbers that no field takes (longer than any valid integer, or too large for a float) come as Decimal.
    """
    if not data:
        return {}
    try:
        value = decoded(data)
    except (ValueError, RecursionError):
        raise malformed() from None
    check_depth(data)
    if not isinstance(value, dict):
        raise no_object()
    return value


def decoded(text: bytes) -> object:
    """Any JSON value. Raises ValueError and RecursionError."""
    plain = text.decode()
    if _UNUSUAL.search(text) is None:  # what the decoder does by itself, and several times faster
        return json.loads(plain, parse_constant=_refused)
    return json.loads(plain, parse_int=_integer, parse_float=_real, parse_constant=_refused)


def check_depth(data: bytes) -> None:
    """Of well-formed JSON. Raises ApiError 400."""
    if not within_depth(data.strip(_SPACE), MAX_DEPTH):
        raise too_deep()


def malformed() -> ApiError:
    return ApiError(400, "malformed_json", "The body is not valid JSON in UTF-8.")


def too_deep() -> ApiError:
    return ApiError(400, "malformed_json", f"The body is nested more than {MAX_DEPTH} deep.")


def no_object() -> ApiError:
    return ApiError(400, "body_not_object", "The body must be one JSON object.")


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INT_DIGITS else Decimal(digits)


def _real(text: str) -> float | Decimal:
    value = float(text)
    return value if math.isfinite(value) else Decimal(text)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
