"""What Continue's log says of tokens: the counts of a request that does not fit ("CompileChat"), errors of an API with
a count, and lines that name counts. Pure; only numbers are taken."""

import re
from typing import Literal

import msgspec

LogSource = Literal["logs", "compile_chat", "api_error"]
_LONGEST = 4_096  # bytes of a line that are looked at
_MOST = 10**9  # tokens that a line can mean
_DIGITS = len(str(_MOST))
_N = r"~?(?<![\d,])(\d{1,3}(?:,\d{3})++|\d++)(?!\d)"  # a whole number, also with commas; nothing is tried twice
_BLOCK_LINES = 12

_BEGINNING = re.compile(r"request had the following (token counts|properties)", re.IGNORECASE)
_COUNT = re.compile(r"^\s*-\s*([a-z][a-z _]{0,40}?)\s*:\s*~?\s*(\d++)\b", re.IGNORECASE)
_BLOCK = {
    "contextlength": "context_length",
    "tools": "tools_tokens",
    "tooltokens": "tools_tokens",
    "systemmessage": "system_message_tokens",
    "systemmsgtokens": "system_message_tokens",
    "lastusermsgtokens": "prompt_tokens",
}
_ERROR = re.compile(
    r"\berror\b|\b4(00|13|29)\b|quota|rate.?limit|exceed|too (?:long|large)|overflow|maximum context", re.IGNORECASE
)
_LIMITS = (
    re.compile(rf"maximum context length is {_N}", re.IGNORECASE),
    re.compile(rf"context (?:size|window|length|limit)(?: of| is)?\s*+[:=(]?\s*+{_N}(?!\s*+/)", re.IGNORECASE),
    re.compile(rf"\blimit\"?\s*+(?:[:=]|of|is)?\s*+\"?{_N}(?!\s*+/)", re.IGNORECASE),
    re.compile(rf"> ?{_N}", re.IGNORECASE),
)
_ASKED = (
    re.compile(rf"(?:requested:?|resulted in|prompt is too long:?|request \()\s*+{_N}(?!\s*+/)", re.IGNORECASE),
    re.compile(rf"\bcurrent\"?\s*+[:=]\s*+\"?{_N}", re.IGNORECASE),
    re.compile(rf"{_N}(?: tokens)? ?>", re.IGNORECASE),
)
_OF = (  # so many of so many, where it is tokens that are counted
    re.compile(rf"\b(?:tokens?|context)\b[^\d/]{{0,24}}{_N}\s*+/\s*+{_N}", re.IGNORECASE),
    re.compile(rf"{_N}\s*+/\s*+{_N}\s*+tokens?\b", re.IGNORECASE),
)
_NAMED = {
    "prompt_tokens": re.compile(rf"\b(?:prompt|input)[ _]?tokens?\"?\s*+[:=]\s*+{_N}", re.IGNORECASE),
    "completion_tokens": re.compile(
        rf"\b(?:completion|output|generated)[ _]?tokens?\"?\s*+[:=]\s*+{_N}", re.IGNORECASE
    ),
    "total_tokens": re.compile(rf"\btotal[ _]?tokens?\"?\s*+[:=]\s*+{_N}", re.IGNORECASE),
    "context_length": re.compile(rf"\bcontext[ _]?length\"?\s*+[:=]\s*+{_N}", re.IGNORECASE),
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
        number = _number(count[2])
        if name is not None and number is not None:
            self._block[name] = number
        self._lines += 1
        return None


def _of_block(counts: dict[str, int]) -> LogMetric:
    total = sum(value for name, value in counts.items() if name != "context_length")
    return LogMetric(source="compile_chat", total_tokens=total, **counts)


def _single(text: str) -> LogMetric | None:
    limit, asked = _first(_LIMITS, text), _first(_ASKED, text)
    used, whole = _of(text)
    if _ERROR.search(text) and (limit or asked or whole):
        asked = asked or used
        return LogMetric(source="api_error", prompt_tokens=asked, total_tokens=asked, context_length=limit or whole)
    named = {name: _first((pattern,), text) for name, pattern in _NAMED.items()}
    if not any(named[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")):
        return LogMetric(source="logs", prompt_tokens=used, total_tokens=used, context_length=whole) if whole else None
    total = named.pop("total_tokens") or named["prompt_tokens"] + named["completion_tokens"]
    return LogMetric(source="logs", total_tokens=total, **named)


def _of(text: str) -> tuple[int, int]:
    """`123/45 tokens`: used, and what there is."""
    for pattern in _OF:
        found = pattern.search(text)
        numbers = [_number(digits) or 0 for digits in found.groups()] if found else [0]
        if all(numbers):
            return numbers[0], numbers[1]
    return 0, 0


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int:
    """0 where a line does not say, or says what cannot be."""
    return next((_number(found[1]) or 0 for pattern in patterns if (found := pattern.search(text))), 0)


def _number(digits: str) -> int | None:
    """None where no request can have so many tokens."""
    plain = digits.replace(",", "")
    return int(plain) if len(plain) <= _DIGITS and int(plain) <= _MOST else None
