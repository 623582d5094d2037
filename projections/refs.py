"""Message lists of exchanges: stored as differences, as in the log, and expanded when asked for."""

import sqlite3

from projections.rows import Row
from schema.exchanges import MessageRefs

REFS_TABLE = (
    "CREATE TABLE exchange_refs("
    "exchange_id INTEGER NOT NULL, sent INTEGER NOT NULL, base_exchange INTEGER, keep INTEGER NOT NULL,"
    " added TEXT NOT NULL, PRIMARY KEY(exchange_id, sent)) STRICT, WITHOUT ROWID"
)


INSERT_REFS = "INSERT INTO exchange_refs VALUES (?, ?, ?, ?, ?)"


def refs_row(exchange_id: int, refs: MessageRefs, *, sent: bool) -> Row:
    """The difference; an exchange has a sent list only where it differs from the received one."""
    return (exchange_id, int(sent), refs.base_exchange, refs.keep, " ".join(refs.added))


def expanded_refs(db: sqlite3.Connection, exchange_id: int, *, sent: bool) -> tuple[str, ...]:
    """The full list. A difference means the base's list of the same kind, its received one where it has no sent one.

    Raises LookupError for an exchange that is not there, or a base that is not an earlier one.
    """
    parts: list[list[str]] = []
    base: int | None = exchange_id
    wanted: int | None = None  # of a base only its first `wanted` refs count
    while base is not None and wanted != 0:
        row = db.execute(
            "SELECT base_exchange, keep, added, sent FROM exchange_refs WHERE exchange_id = ? AND sent <= ?"
            " ORDER BY sent DESC LIMIT 1",
            (base, sent),
        ).fetchone()
        if row is None or (row[0] is not None and row[0] >= base):
            raise LookupError(f"exchange {base} has no list to expand the refs of exchange {exchange_id}")
        base, keep, added, sent = row  # what was sent as it was received is written as such
        parts.append(added.split()[: None if wanted is None else max(wanted - keep, 0)])
        wanted = keep if wanted is None else min(wanted, keep)
    return tuple(ref for part in reversed(parts) for ref in part)
