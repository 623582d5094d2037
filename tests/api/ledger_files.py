"""Ledgers as clients write them, made for tests."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CLINE = Path(".cline/data/state/taskHistory.json")
FIRST_MS = 1_795_000_000_000


def item(number: int, **fields: Any) -> dict[str, Any]:
    """An entry of Cline's task history."""
    return {
        "id": str(FIRST_MS + number),
        "ulid": f"01K{number:022d}",
        "ts": FIRST_MS + number + 1_000,
        "task": f"a secret question {number}",
        "tokensIn": 100 + number,
        "tokensOut": 10,
        "cacheWrites": 1,
        "cacheReads": 2,
        "totalCost": 0.25,
        "size": 12_345,
        "cwdOnTaskInitialization": "/home/somebody/secret",
        "conversationHistoryDeletedRange": [0, 3],
        "isFavorited": False,
        "modelId": "gpt-5",
        **fields,
    }


def history(home: Path, items: Iterable[Mapping[str, Any]], place: Path = CLINE) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(items)), encoding="utf-8")
    return path
