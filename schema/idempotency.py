"""What is kept of a write that carried an Idempotency-Key, in the transaction of its events (decisions 1.14).

Keys and requests are kept as keyed hashes only. The answer is not kept: it is made again from the events' positions. A
refusal left no events, so it is kept itself.
"""

import msgspec

HOUR_MS = 3_600 * 1_000
KEPT_MS = 24 * HOUR_MS

DDL = (
    "CREATE TABLE idempotency(key BLOB PRIMARY KEY, request BLOB NOT NULL, position INTEGER NOT NULL,"
    " count INTEGER NOT NULL, kept_at INTEGER NOT NULL, refusal TEXT) STRICT, WITHOUT ROWID",
    "CREATE INDEX idempotency_by_age ON idempotency(kept_at)",
)
INSERT = "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?)"
FORGET = "DELETE FROM idempotency WHERE kept_at < ?"
SELECT = "SELECT request, position, count, refusal FROM idempotency WHERE key = ? AND kept_at >= ?"


class Idempotent(msgspec.Struct, frozen=True):
    """`key` and `request` are 32 bytes each; `refusal` is the JSON of an error answer. What was kept for longer than
    `kept_ms` is forgotten when this is kept."""

    key: bytes
    request: bytes
    refusal: str | None = None
    kept_ms: int = KEPT_MS


class Kept(msgspec.Struct, frozen=True):
    """What became of the first request: `count` events, of which the last stands at `position` (with none: the head
    at that time), or a refusal."""

    request: bytes
    position: int
    count: int
    refusal: str | None
