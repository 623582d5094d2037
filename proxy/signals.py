"""What a request says about the session that it belongs to (contract 3.3.2), without looking anything up."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_CLIENT_KEY = re.compile(r"[\x21-\x7e]{1,256}")
_USER_SESSION = re.compile(r"_session_([\x21-\x7e]{1,200})\Z")

OWN = b"x-session-id"
CLAUDE = b"x-claude-code-session-id"
CLAUDE_AGENT = b"x-claude-code-agent-id"
CLAUDE_PARENT = b"x-claude-code-parent-agent-id"
CODEX = (b"session-id", b"session_id")
CODEX_THREAD = b"thread-id"
CODEX_PARENT = b"x-codex-parent-thread-id"
OPENCODE = (b"x-opencode-session", b"x-session-affinity")
PARENT = b"x-parent-session-id"
TASK = (
    b"x-task-id",
    b"x-roo-task-id",
    b"x-litellm-session-id",
    b"x-litellm-trace-id",
    b"x-openwebui-chat-id",
    b"x-conversation-id",
)
RETRY_COUNT = b"x-stainless-retry-count"
USER_AGENT = b"user-agent"
NAMES = frozenset(
    (
        *(OWN, CLAUDE, CLAUDE_AGENT, CLAUDE_PARENT, *CODEX, CODEX_THREAD, CODEX_PARENT, *OPENCODE, PARENT),
        *(*TASK, RETRY_COUNT, USER_AGENT),
    )
)


class Signal(msgspec.Struct, frozen=True):
    """The client's own key for its session and, where it names one, that of the parent session."""

    rule: str
    key: str
    parent_key: str | None = None


def session_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """The headers that matter here, by lower-case name; a repeated one counts once, the first."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in NAMES and name not in found:
            found[name] = value.decode("latin-1").strip()
    return found


def signal_of(headers: Mapping[bytes, str], body: "BodySignals") -> Signal | None:
    """The first rule of the contract's table that fires, None when only the messages can tell."""
    return header_signal(headers) or body_signal(body)


def header_signal(headers: Mapping[bytes, str]) -> Signal | None:
    """The first rule that needs the headers alone."""
    return (
        _own(headers)
        or _claude_code(headers)
        or _codex(headers)
        or _first("header:opencode", headers, OPENCODE, parent=PARENT)
        or _first("header:task", headers, TASK)
    )


class BodySignals(msgspec.Struct, frozen=True):
    """The fields of the request body that may name a session; of any type, for clients send what they like."""

    metadata: Any = None
    prompt_cache_key: Any = None
    previous_response_id: Any = None


def valid_key(value: object) -> str | None:
    """A client key: 1-256 visible ASCII characters, of which a space is none."""
    return value if isinstance(value, str) and _CLIENT_KEY.fullmatch(value) else None


def is_retry(headers: Mapping[bytes, str]) -> bool:
    count = headers.get(RETRY_COUNT, "")
    return count.isascii() and count.isdigit() and int(count[:9]) > 0


def _own(headers: Mapping[bytes, str]) -> Signal | None:
    key = valid_key(headers.get(OWN))
    return Signal("header:x-session-id", key, valid_key(headers.get(PARENT))) if key else None


def _claude_code(headers: Mapping[bytes, str]) -> Signal | None:
    session = valid_key(headers.get(CLAUDE))
    if session is None:
        return None
    agent, parent = valid_key(headers.get(CLAUDE_AGENT)), valid_key(headers.get(CLAUDE_PARENT))
    if agent is None:
        return Signal("header:x-claude-code-session-id", session)
    parent_key = session if parent is None else f"{session}/{parent}"
    return Signal("header:x-claude-code-session-id", f"{session}/{agent}", parent_key)


def _codex(headers: Mapping[bytes, str]) -> Signal | None:
    session = next((key for name in CODEX if (key := valid_key(headers.get(name)))), None)
    if session is None:
        return None
    thread, parent = valid_key(headers.get(CODEX_THREAD)), valid_key(headers.get(CODEX_PARENT))
    if thread is None or thread == session:
        return Signal("header:session-id", session)
    parent_key = session if parent in (None, session) else f"{session}/{parent}"
    return Signal("header:session-id", f"{session}/{thread}", parent_key)


def _first(
    rule: str, headers: Mapping[bytes, str], names: Sequence[bytes], *, parent: bytes | None = None
) -> Signal | None:
    key = next((key for name in names if (key := valid_key(headers.get(name)))), None)
    if key is None:
        return None
    return Signal(rule, key, valid_key(headers.get(parent)) if parent else None)


def body_signal(body: BodySignals) -> Signal | None:
    """The rule that comes last."""
    if body.metadata is None and body.prompt_cache_key is None and body.previous_response_id is None:
        return None
    metadata = body.metadata if isinstance(body.metadata, dict) else {}
    candidates = (
        metadata.get("session_id"),
        metadata.get("conversation_id"),
        _user_session(metadata.get("user_id")),
        body.prompt_cache_key,
        body.previous_response_id,
    )
    key = next((key for value in candidates if (key := valid_key(value))), None)
    return Signal("body", key) if key else None


def _user_session(user_id: object) -> str | None:
    """The session inside Claude Code's user_id: `..._session_<id>`, or a JSON object with session_id."""
    if not isinstance(user_id, str) or len(user_id) > 4_096:
        return None
    if user_id.startswith("{"):
        try:
            fields = msgspec.json.decode(user_id)
        except (msgspec.MsgspecError, RecursionError):
            return None
        return valid_key(fields.get("session_id")) if isinstance(fields, dict) else None
    match = _USER_SESSION.search(user_id)
    return match.group(1) if match else None
