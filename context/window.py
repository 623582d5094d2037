"""Masking by age: outputs that are older than a number of turns become a placeholder, whatever that costs with the
provider's cache. For those who ask for it (section [observation_masking.schema1])."""

import re
from string import Formatter

import msgspec

PLACEHOLDER = "[output of {tool_name} omitted: {original_chars} characters, mask:{mask_hash}]"
FIELDS = ("tool_call_id", "tool_name", "original_chars", "mask_hash")
_ENDS = 4_000  # characters at each end of an output that are looked at
_FAILED = re.compile(
    r"^[ \t]*(?:traceback \(most recent|fatal\b|panic\b|(?:\w+\.)*\w*(?:error|exception)\b\s*[:\[(])"
    r"|\bexit(?:ed with)? (?:code|status):? [1-9]|\berror(?:\[\w+\])?: ",
    re.IGNORECASE | re.MULTILINE,
)


class WindowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The last `turns` answers' outputs stay, and those that tell of an error, and the last ones of each tool."""

    turns: int = 8
    keep_errors: bool = True
    keep_last_k_per_tool: int = 0
    placeholder: str = PLACEHOLDER


def fields_of(template: str) -> set[str]:
    """The fields that a placeholder names. Raises ValueError for what is no template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def tells_of_an_error(text: str) -> bool:
    return _FAILED.search(text[:_ENDS]) is not None or _FAILED.search(text[-_ENDS:]) is not None


def placeholder(template: str, call_id: str, tool: str, text: str, digest: str) -> str:
    return template.format(tool_call_id=call_id, tool_name=tool, original_chars=len(text), mask_hash=digest[:16])
