"""Values of ledgers, which anybody may have written: numbers in their range, ids without text, times.

Each function raises BadValueError, whose text names the field and nothing of its value.
"""

import math
import re
from datetime import UTC, datetime

MOST_TOKENS = 10**12  # of one task: sums over millions of them still fit 64 bits
MOST_USD = 10**6
_LATEST_MS = 253_402_300_799_999  # the year 9999
_SECONDS = 100_000_000_000  # a smaller number is no time in milliseconds of any client
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_LONGEST_NAME = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadValueError(ValueError):
    """A value that cannot be what its field means."""


def tokens(value: object, name: str) -> int:
    """0 where there is none."""
    if value is None:
        return 0
    number = _number(value, name)
    if number != int(number) or not 0 <= number <= MOST_TOKENS:
        raise BadValueError(f"{name} is no number of tokens")
    return int(number)


def tokens_or_none(value: object, name: str) -> int | None:
    return None if value is None else tokens(value, name)


def money(value: object, name: str) -> float | None:
    """US dollars."""
    if value is None:
        return None
    number = float(_number(value, name))
    if not 0 <= number <= MOST_USD:
        raise BadValueError(f"{name} is no amount of money")
    return number


def identifier(value: object, name: str) -> str:
    """Without white space: so no text of somebody's can stand in its place."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= _LATEST_MS else ""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadValueError(f"{name} is no id")
    return value


def identifier_or_none(value: object, name: str) -> str | None:
    return None if value is None or value == "" else identifier(value, name)


def label(value: object, name: str) -> str | None:
    """The name of a model or provider."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise BadValueError(f"{name} is no name")
    return value.strip() or None


def time_ms(value: object, name: str) -> int:
    """Milliseconds since the epoch, of a number of them, of seconds, or of an ISO-8601 text (UTC where it names no
    offset)."""
    if isinstance(value, str):
        return _parsed(value, name)
    number = _number(value, name)
    milliseconds = round(number if number >= _SECONDS else number * 1_000)
    if not 0 <= milliseconds <= _LATEST_MS:
        raise BadValueError(f"{name} is no time")
    return milliseconds


def _parsed(text: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text[:40])
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        milliseconds = round((moment - _EPOCH).total_seconds() * 1_000)
    except (ValueError, OverflowError):
        raise BadValueError(f"{name} is no time") from None
    if milliseconds < 0:
        raise BadValueError(f"{name} is no time")
    return milliseconds


def _number(value: object, name: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValueError(f"{name} is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadValueError(f"{name} is no number")
    return value
