"""FastAPI's `detail` list of a 422, bounded: what a client sent is echoed, but not by the megabyte."""

import json
from collections.abc import Iterable, Mapping

_ECHO = 200  # characters
_encoder = json.JSONEncoder(default=str, ensure_ascii=False)

Location = tuple[str | int, ...]


def invalid(kind: str, loc: Location, text: str, given: object) -> dict[str, object]:
    """One entry as pydantic would write it."""
    return {"type": kind, "loc": loc, "msg": text, "input": given}


def bounded_details(details: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """The entries with only the contract's keys, and short echoes."""
    return [_bounded(entry) for entry in details]


def sentence(details: list[dict[str, object]]) -> str:
    """The first entry in words."""
    if not details:
        return "A field is invalid."
    loc = details[0]["loc"]
    where = ".".join(str(part) for part in loc) if isinstance(loc, list) else ""
    return f"{where}: {details[0]['msg']}" if where else str(details[0]["msg"])


def _bounded(entry: Mapping[str, object]) -> dict[str, object]:
    loc = entry.get("loc")
    kept: dict[str, object] = {
        "type": entry.get("type"),
        "loc": list(loc) if isinstance(loc, (list, tuple)) else [],
        "msg": entry.get("msg"),
        "input": _echo(entry.get("input")),
    }
    context = entry.get("ctx")
    if isinstance(context, Mapping):
        kept["ctx"] = {str(key): _echo(value) for key, value in context.items()}
    return kept


def _echo(value: object) -> object:
    """The value itself where it is small, else its beginning."""
    if value is None or isinstance(value, (bool, float)):
        return value
    text = value if isinstance(value, str) else _beginning(value)
    if len(text) <= _ECHO:
        return value if isinstance(value, (str, int, list, dict)) else text
    return text[:_ECHO] + "..."


def _beginning(value: object) -> str:
    """A little more of its JSON than is shown, or all of it."""
    pieces: list[str] = []
    size = 0
    for piece in _encoder.iterencode(value):
        pieces.append(piece)
        size += len(piece)
        if size > _ECHO:
            break
    return "".join(pieces)
