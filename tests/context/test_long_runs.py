"""Texts that a careless pattern would walk through again and again: a mebibyte of any few characters is ordinary."""

import time
from typing import Any

import pytest

from context.compaction import CompactionSettings, plan
from context.cuts import Item, keep_last
from context.reduction import ContextFold
from context.replacements import ReductionSettings
from context.shortening import shortened
from context.window import WindowSettings, tells_of_an_error
from context.words import naming_words

SIZE = 1 << 18
RUNS = (
    "z",
    "ab",
    "aB",
    "Z",
    "0",
    "0a",
    "_",
    "-",
    ".",
    "a.",
    "/",
    "a/",
    "~",
    "@",
    "=",
    " ",
    "\n",
    "\r",
    "\x1b[",
    "\\",
    '"',
    "é",
)
WITHIN_S = 20  # a walk that grows with the square takes an hour


def count(text: str) -> int:
    return len(text) // 4 + 1


@pytest.mark.parametrize("run", RUNS, ids=repr)
def test_a_quarter_of_a_mebibyte_of_a_few_characters_is_ordinary(run: str) -> None:
    text = run * (SIZE // len(run))
    begun = time.process_time()
    naming_words(text)
    shortened(text, 4_000)
    tells_of_an_error(text)
    for role in ("user", "assistant", "tool"):
        settings = ReductionSettings(window=WindowSettings(turns=1) if role == "tool" else None)
        fold = ContextFold(settings, count)
        call = {"id": "c", "function": {"name": "bash", "arguments": text if role == "assistant" else "{}"}}
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": text if role == "user" else "go"},
            {"role": "assistant", "content": text if role == "assistant" else None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": text},
            *({"role": name, "content": "so"} for name in ("assistant", "user") * 3),
        ]
        for message in messages:
            fold.add(message, 10)
        fold.decide(0.1, idle=True, fresh=1)
        items = [Item(message, str(index), 500, 500) for index, message in enumerate(messages)]
        plan(items, keep_last(2), CompactionSettings(), count, force=True)
    assert time.process_time() - begun < WITHIN_S
