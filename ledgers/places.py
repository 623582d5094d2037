"""Where clients keep their ledgers, on each system, and where their environment variables say otherwise.

Every path begins with a real path (of the home directory, or of what a variable or the configuration names) and goes on
as it is known; see `opening.Places` for why.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from ledgers.catalogue import (
    AIDER,
    AIDER_ANALYTICS,
    BY_NAME,
    CLAUDE_CODE,
    CLINE,
    CLINE_SESSIONS,
    CODEX,
    CONTINUE,
    KILO,
    KILO_DATABASE,
    LLM,
    OPENCODE,
    OPENCODE_DATABASE,
    ROO,
    Kind,
    Ledger,
)
from ledgers.opening import Places

_EDITORS = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf")
_SERVERS = (".vscode-server", ".vscode-server-insiders", ".vscodium-server", ".cursor-server", ".windsurf-server")
_SEVERAL = ","  # between the folders that one variable names

Place = tuple[Kind, Path]


class Machine(msgspec.Struct, frozen=True):
    """`home` is the real path of the home directory."""

    home: Path
    environment: Mapping[str, str]
    system: str = sys.platform

    @classmethod
    def own(cls) -> "Machine":
        return cls(real(Path.home()), dict(os.environ))

    def folder(self, variable: str, default: Path) -> Path:
        """What an environment variable names, else the default."""
        return next(iter(self.folders(variable)), default)

    def folders(self, variable: str) -> list[Path]:
        texts = self.environment.get(variable, "").split(_SEVERAL)
        return [self.real(text.strip()) for text in texts if text.strip()]

    def real(self, text: str) -> Path:
        return real(self.expanded(text))

    def rooted(self, text: str) -> Path:
        """The real path of the folder that it lies in, and its own name."""
        path = self.expanded(text)
        return real(path.parent) / path.name

    def expanded(self, text: str) -> Path:
        """Absolute, from the home directory on where it begins with `~` or is relative."""
        return Path(os.path.normpath(self.home / (text.removeprefix("~").lstrip("/") if text[:1] == "~" else text)))

    def shown(self, path: Path) -> str:
        """`~` for the home directory."""
        return f"~/{path.relative_to(self.home).as_posix()}" if path.is_relative_to(self.home) else str(path)


class Shelf(msgspec.Struct, frozen=True):
    """All ledgers that may be read."""

    ledgers: tuple[Ledger, ...]
    places: Places

    def named(self, text: str, machine: Machine) -> list[Ledger]:
        """Those at a path, as it is shown or written out; none where it is no place."""
        if "\0" in text:
            return []
        wanted = {text, machine.shown(machine.rooted(text))}
        return [ledger for ledger in self.ledgers if ledger.shown in wanted]


def shelf(machine: Machine, configured: Iterable[tuple[str, str]] = ()) -> Shelf:
    """The built-in places, and those of the configuration as (kind, path)."""
    more = ((BY_NAME[kind], machine.rooted(text)) for kind, text in configured)
    found = dict.fromkeys((*_built_in(machine), *more))
    ledgers = tuple(Ledger(kind, path, machine.shown(path)) for kind, path in found)
    return Shelf(ledgers, Places([ledger.path for ledger in ledgers]))


def real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _built_in(machine: Machine) -> Iterator[Place]:
    yield from _cline(machine)
    for storage in _storages(machine, "rooveterinaryinc.roo-cline"):
        yield ROO, storage / "tasks"
    for storage in _storages(machine, "kilocode.kilo-code"):
        yield KILO, storage / "tasks"
    yield CONTINUE, machine.folder("CONTINUE_GLOBAL_DIR", machine.home / ".continue")
    for folder in machine.folders("CLAUDE_CONFIG_DIR") or [
        machine.home / ".claude",
        machine.home / ".config" / "claude",
    ]:
        yield CLAUDE_CODE, folder / "projects"
    yield CODEX, machine.folder("CODEX_HOME", machine.home / ".codex")
    yield from _in_data(machine)
    yield from _aider(machine)
    yield LLM, machine.folder("LLM_USER_PATH", _config(machine) / "io.datasette.llm") / "logs.db"


def _in_data(machine: Machine) -> Iterator[Place]:
    data = machine.folder("XDG_DATA_HOME", machine.home / ".local" / "share")
    yield OPENCODE, data / "opencode" / "storage"
    yield OPENCODE_DATABASE, data / "opencode" / "opencode.db"
    yield KILO_DATABASE, data / "kilo" / "kilo.db"


def _aider(machine: Machine) -> Iterator[Place]:
    """Its files lie in each repository: those of the home directory, and those that it is told of."""
    yield AIDER, machine.home / ".aider.chat.history.md"
    for variable, kind in (("AIDER_CHAT_HISTORY_FILE", AIDER), ("AIDER_ANALYTICS_LOG", AIDER_ANALYTICS)):
        if machine.environment.get(variable):
            yield kind, machine.rooted(machine.environment[variable])


def _config(machine: Machine) -> Path:
    """Where programs keep their configuration."""
    if machine.system == "win32":
        return machine.folder("APPDATA", machine.home / "AppData" / "Roaming")
    if machine.system == "darwin":
        return machine.home / "Library" / "Application Support"
    return machine.folder("XDG_CONFIG_HOME", machine.home / ".config")


def _storages(machine: Machine, extension: str) -> Iterator[Path]:
    """The global storage of an editor's extension."""
    base = _config(machine)
    users = [base / editor / "User" for editor in _EDITORS]
    users += [machine.home / server / "data" / "User" for server in _SERVERS]
    users += [folder / "user-data" / "User" for folder in machine.folders("VSCODE_PORTABLE")]
    for user in users:
        yield user / "globalStorage" / extension


def _cline(machine: Machine) -> Iterator[Place]:
    for storage in _storages(machine, "saoudrizwan.claude-dev"):
        yield CLINE, storage / "state" / "taskHistory.json"
    data = machine.folder("CLINE_DATA_DIR", machine.folder("CLINE_DIR", machine.home / ".cline") / "data")
    yield CLINE, data / "state" / "taskHistory.json"
    yield CLINE, data / "tasks" / "taskHistory.json"
    yield CLINE_SESSIONS, machine.folder("CLINE_DB_DATA_DIR", data / "db") / "sessions.db"
