"""Where configuration and data live on each system (decisions 3.15)."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "chronoproxy"


def user_config_dir(environment: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environment.get("APPDATA") or Path.home() / "AppData" / "Roaming") / _NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _NAME
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / _NAME


def default_data_dir(environment: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / _NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _NAME
    return Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / _NAME


def with_tilde(text: str) -> str:
    """The home directory as `~`, where a path in `text` begins with it (contract 1.2)."""
    home = str(Path.home())
    if len(home) < 2 or home not in text:
        return text
    return re.sub(rf"(?<![\w/\\.~-]){re.escape(home)}(?=[/\\]|$)", "~", text)


def shown(path: Path) -> str:
    """The home directory is shown as `~` (contract 1.2)."""
    try:
        return f"~/{path.absolute().relative_to(Path.home())}"
    except ValueError:
        return str(path.absolute())
