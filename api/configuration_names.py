"""The names of single settings: `section.key`, as they are written in the file."""

from collections.abc import Iterator, Mapping
from typing import Any

from api.configuration_warnings import dotted

_SHOWN_AS = {"token": "has_token", "client_keys": "has_client_keys", "api_key": "has_api_key", "key": "has_key"}
_WHOLE = ("headers", "env")  # shown by name only

Path = tuple[str, ...]


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Every single value by its name; a list is one value."""
    return {dotted(path): value for path, value in _leaves(values, ())}


def shown_names(document: Mapping[str, Any]) -> set[str]:
    """The names under which what a configuration file sets is shown: secrets as has_*."""
    return {dotted((*path[:-1], _SHOWN_AS.get(path[-1], path[-1]))) for path, _ in _leaves(document, ())}


def _leaves(values: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and name not in _WHOLE:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value
