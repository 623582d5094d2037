"""Recorded conversations of real agents, as the requests that led to them.

A file is `*.jsonl.gz`, one conversation per line: `{"id", "messages": [...]}` in the chat format. There is one request
for each assistant message but the first of a conversation; it holds all that stood before, and is answered by it.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.traffic import text

MODEL = "replayed"


class Turn(NamedTuple):
    """A request's body, and the assistant message that answers it."""

    body: bytes
    answer: dict[str, Any]


class Conversation(NamedTuple):
    name: str
    turns: list[Turn]
    messages: list[dict[str, Any]]


def conversations(folder: Path, groups: list[str]) -> Iterator[Conversation]:
    """Those of the files that are named, or of all. Raises OSError and ValueError."""
    paths = [folder / f"{group}.jsonl.gz" for group in groups] or sorted(folder.glob("*.jsonl.gz"))
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                yield Conversation(record["id"], list(_turns(record["messages"])), record["messages"])


def made_up(turns: int, size: int) -> Conversation:
    """One conversation of `turns` turns, two messages of `size` bytes each, of words drawn from a seed."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": text(0, 2 * size)}]
    for turn in range(turns):
        messages.append({"role": "user", "content": text(2 * turn + 1, size)})
        messages.append({"role": "assistant", "content": text(2 * turn + 2, size)})
    return Conversation("made-up", list(_turns(messages)), messages)


def _turns(messages: list[dict[str, Any]]) -> Iterator[Turn]:
    for index, message in enumerate(messages):
        if message["role"] == "assistant" and index:
            body = {"model": MODEL, "messages": messages[:index], "temperature": 0}
            yield Turn(json.dumps(body, ensure_ascii=False).encode(), message)
