"""What Continue's log says of tokens: the counts of a request that does not fit ("CompileChat"), errors of an API with
a count, and lines that name counts. Pure; only numbers are taken."""

import re
from typing import Literal

import msgspec

LogSource = Literal["logs", "compile_chat", "api_error"]
_LONGEST = 4_096  # bytes of a line that are looked at
_MOST = 10**12
_BLOCK_LINES = 12

_BEGINNING = re.compile(r"request had the following (token counts|properties)", re.IGNORECASE)
_COUNT = re.compile(r"^\s*-\s*([a-z][a-z _]{0,40}?)\s*:\s*~?\s*(\d{1,15})\b", re.IGNORECASE)
_BLOCK = {
    "contextlength": "context_length",
    "tools": "tools_tokens",
    "tooltokens": "tools_tokens",
    "systemmessage": "system_message_tokens",
    "systemmsgtokens": "system_message_tokens",
    "lastusermsgtokens": "prompt_tokens",
}
_ERROR = re.compile(r"\berror\b|\b4(00|13|29)\b|quota|rate.?limit|exceeded|too long|maximum context", re.IGNORECASE)
_LIMITS = (
    re.compile(r"maximum context length is ~?(\d{1,15})", re.IGNORECASE),
    re.compile(r"\blimit\"?\s*[:=]\s*\"?(\d{1,15})", re.IGNORECASE),
    re.compile(r"> ?(\d{1,15}) maximum", re.IGNORECASE),
)
_ASKED = (
    re.compile(r"(?:you requested|resulted in|prompt is too long:?)\s*~?(\d{1,15})", re.IGNORECASE),
    re.compile(r"\bcurrent\"?\s*[:=]\s*\"?(\d{1,15})", re.IGNORECASE),
)
_NAMED = {
    "prompt_tokens": re.compile(r"\b(?:prompt|input)[ _]?tokens?\"?\s*[:=]\s*~?(\d{1,15})", re.IGNORECASE),
    "completion_tokens": re.compile(
        r"\b(?:completion|output|generated)[ _]?tokens?\"?\s*[:=]\s*~?(\d{1,15})", re.IGNORECASE
    ),
    "total_tokens": re.compile(r"\btotal[ _]?tokens?\"?\s*[:=]\s*~?(\d{1,15})", re.IGNORECASE),
    "context_length": re.compile(r"\bcontext[ _]?length\"?\s*[:=]\s*~?(\d{1,15})", re.IGNORECASE),
}


class LogMetric(msgspec.Struct, frozen=True, kw_only=True):
    """0 where a line does not say."""

    source: LogSource
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tools_tokens: int = 0
    system_message_tokens: int = 0
    total_tokens: int = 0
    context_length: int = 0


class LogReader:
    """Lines in, metrics out; a block of counts is told of at its end."""

    def __init__(self) -> None:
        self._block: dict[str, int] | None = None
        self._lines = 0

    def feed(self, line: bytes) -> list[LogMetric]:
        text = line[:_LONGEST].decode("utf-8", "replace")
        found = self._in_block(text)
        if found is None:
            return []
        if _BEGINNING.search(text):
            self._block, self._lines = {}, 0
            return found
        single = None if found else _single(text)
        return [*found, single] if single is not None else found

    def end(self) -> list[LogMetric]:
        """Nothing follows for now: what a block has told so far."""
        block, self._block = self._block, None
        return [_of_block(block)] if block else []

    def _in_block(self, text: str) -> list[LogMetric] | None:
        """None while the block goes on."""
        if self._block is None:
            return []
        count = _COUNT.match(text)
        if count is None or self._lines >= _BLOCK_LINES:
            return self.end()
        name = _BLOCK.get(count[1].lower().replace(" ", ""))
        if name is not None:
            self._block[name] = _number(count[2])
        self._lines += 1
        return None


def _of_block(counts: dict[str, int]) -> LogMetric:
    total = sum(value for name, value in counts.items() if name != "context_length")
    return LogMetric(source="compile_chat", total_tokens=total, **counts)


def _single(text: str) -> LogMetric | None:
    if _ERROR.search(text):
        limit, asked = _first(_LIMITS, text), _first(_ASKED, text)
        if limit or asked:
            return LogMetric(source="api_error", prompt_tokens=asked, total_tokens=asked, context_length=limit)
    named = {name: _number(found[1]) for name, pattern in _NAMED.items() if (found := pattern.search(text))}
    if not any(named.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")):
        return None
    total = named.pop("total_tokens", 0) or named.get("prompt_tokens", 0) + named.get("completion_tokens", 0)
    return LogMetric(source="logs", total_tokens=total, **named)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int:
    return next((_number(found[1]) for pattern in patterns if (found := pattern.search(text))), 0)


def _number(digits: str) -> int:
    return min(int(digits), _MOST)
