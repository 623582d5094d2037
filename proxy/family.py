"""Which kind of client sent a request, from its User-Agent: a label, and a part of the scope of session keys."""

import re
from functools import lru_cache

_KNOWN = (
    ("claude-cli", "claude-code"),
    ("opencode", "opencode"),
    ("roocode", "roo-code"),
    ("kilo-code", "kilo-code"),
    ("cline", "cline"),
    ("aider", "aider"),
    ("litellm", "litellm"),
    ("codex", "codex"),
    ("zed", "zed"),
    ("continue", "continue"),
    ("openai/python", "openai-python"),
    ("openai/js", "openai-node"),
    ("langchain", "langchain"),
    ("pydantic-ai", "pydantic-ai"),
    ("ai-sdk", "ai-sdk"),
    ("ai/", "ai-sdk"),
)
_PRODUCT = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


@lru_cache(maxsize=1_000)
def client_family(user_agent: str | None) -> str | None:
    """A short stable name such as `openai-python`; else the first product of the User-Agent, lower-case and at most 32
    characters; None without one."""
    if not user_agent:
        return None
    agent = user_agent[:512].lower()
    known = next((name for mark, name in _KNOWN if mark in agent), None)
    if known is not None:
        return known
    product = _PRODUCT.match(agent)
    return product.group() if product else None
