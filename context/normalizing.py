"""Output without what says nothing: colours, overwritten progress, the same line over and over."""

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_SAME = 4  # equal lines in a row


def normalized(text: str) -> str:
    """The text itself where there is nothing to leave out. Deterministic."""
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    return _without_runs(text)


def _without_runs(text: str) -> str:
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        end = at + 1
        while end < len(lines) and lines[end] == lines[at]:
            end += 1
        kept.append(lines[at])
        if end - at >= _SAME:
            kept.append(f"[the line above {end - at} times]")
        else:
            kept += lines[at + 1 : end]
        at = end
    return "\n".join(kept) if len(kept) < len(lines) else text
