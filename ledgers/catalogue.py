"""All kinds of ledgers: which tool keeps them, and what reads them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

import msgspec

from ledgers import aider, claude_code, cline, cline_sessions, codex, continue_dev, llm, opencode, roo
from ledgers.opening import Source
from ledgers.tasks import Problem, Task
from schema.ledgers import Tool

TOOLS: tuple[Tool, ...] = get_args(Tool)


class Kind(msgspec.Struct, frozen=True):
    """`name` is how a kind of ledger is called for ever: it stands in events."""

    name: str
    tool: Tool
    read: Callable[[Source], Iterator[Task | Problem]]


CLINE = Kind("cline_history", "cline", cline.read)
CLINE_SESSIONS = Kind("cline_sessions", "cline", cline_sessions.read)
ROO = Kind("roo_tasks", "roo", roo.read)
KILO = Kind("kilo_tasks", "kilo", roo.read)
KILO_DATABASE = Kind("kilo_database", "kilo", opencode.read_database)
CONTINUE = Kind("continue_folder", "continue", continue_dev.read)
CLAUDE_CODE = Kind("claude_code_projects", "claude_code", claude_code.read)
CODEX = Kind("codex_sessions", "codex", codex.read)
OPENCODE = Kind("opencode_storage", "opencode", opencode.read_files)
OPENCODE_DATABASE = Kind("opencode_database", "opencode", opencode.read_database)
AIDER = Kind("aider_history", "aider", aider.read_history)
AIDER_ANALYTICS = Kind("aider_analytics", "aider", aider.read_analytics)
LLM = Kind("llm_logs", "llm", llm.read)

KINDS: tuple[Kind, ...] = (
    CLINE,
    CLINE_SESSIONS,
    ROO,
    KILO,
    KILO_DATABASE,
    CONTINUE,
    CLAUDE_CODE,
    CODEX,
    OPENCODE,
    OPENCODE_DATABASE,
    AIDER,
    AIDER_ANALYTICS,
    LLM,
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


class Ledger(msgspec.Struct, frozen=True):
    """Something that may be read. `path` is real but for its last part; `shown` is how it is called."""

    kind: Kind
    path: Path
    shown: str

    @property
    def tool(self) -> Tool:
        return self.kind.tool
