"""Sessions whose contents are in the log and whose key is not in keys.sqlite.

A key that is made anew for such a session would open none of its contents, and the key that does could not be put back
beside it: what was readable once more with a backup would be lost for good.
"""

import sqlite3
from collections.abc import Collection

from schema.erased import erased_sessions

_SEALED = (
    "SELECT 1 FROM events LEFT JOIN blobs USING (position)"
    " WHERE events.session_id = ? AND (events.sealed IS NOT NULL OR blobs.position IS NOT NULL) LIMIT 1"
)
_SESSIONS = "SELECT DISTINCT session_id FROM events WHERE session_id IS NOT NULL"


def has_contents(db: sqlite3.Connection, session_id: int) -> bool:
    """Whether the log of `db` holds anything that is sealed with the session's key. Raises sqlite3.Error."""
    return db.execute(_SEALED, (session_id,)).fetchone() is not None


def lost_keys(db: sqlite3.Connection, held: Collection[int]) -> tuple[int, ...]:
    """The sessions that need a key, are not erased, and have none among `held`. Raises sqlite3.Error."""
    without = {int(row[0]) for row in db.execute(_SESSIONS)}.difference(held)
    if not without:
        return ()
    return tuple(sorted(number for number in without - erased_sessions(db) if has_contents(db, number)))
