"""The configuration file as text: where it is, TOML, and `${VAR}` in strings."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from api.places import user_config_dir

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the file and the key, never a value."""


class Document(msgspec.Struct, frozen=True):
    values: dict[str, Any]
    warnings: list[str]


def find_file(given: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read, None where there is none. Raises ConfigurationError for one that is named but missing."""
    named = given or (Path(environment["CHRONOPROXY_CONFIG"]) if environment.get("CHRONOPROXY_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigurationError(f"{named}: there is no such configuration file")
        return named
    usual = (Path("config.toml"), user_config_dir(environment) / "config.toml")
    return next((path for path in usual if path.is_file()), None)


def read_document(path: Path, environment: Mapping[str, str]) -> Document:
    """The file's values with variables filled in; an unset one is empty, with a warning."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    warnings: list[str] = []
    return Document(_expanded(values, environment, warnings, ""), warnings)


def _expanded(value: Any, environment: Mapping[str, str], warnings: list[str], key: str) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _variable(found[1], environment, warnings, key), value)
        case list():
            return [_expanded(each, environment, warnings, key) for each in value]
        case dict():
            return {
                name: _expanded(each, environment, warnings, f"{key}.{name}" if key else name)
                for name, each in value.items()
            }
        case _:
            return value


def _variable(name: str, environment: Mapping[str, str], warnings: list[str], key: str) -> str:
    if name not in environment:
        warnings.append(f"{key}: the environment variable {name} is not set")
    return environment.get(name, "")
