"""Times of the contract: ISO-8601 in UTC with milliseconds and Z; inside they are milliseconds since the epoch."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """`2026-11-22T23:33:51.123Z`."""
    return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def iso_or_none(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def with_times(fields: Mapping[str, object]) -> dict[str, object]:
    """Fields of a row, those that tell a time (`*_at`) as such."""
    return {
        key: iso(value) if key.endswith("_at") and isinstance(value, int) else value for key, value in fields.items()
    }


def clock_text(ms: int) -> str:
    """`23:33:51`, UTC."""
    return iso(ms)[11:19]


def parse_time(text: str) -> int:
    """Milliseconds of an ISO-8601 time that names its offset; finer digits are cut. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs Z or an offset")
    try:
        return (moment - _EPOCH) // _MS
    except OverflowError:
        raise ValueError("a time out of range") from None
