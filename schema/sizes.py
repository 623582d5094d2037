"""What each session takes in the log."""

from typing import NamedTuple

from schema.log import EventLog

# The clear columns, the two hashes and the index entries of a row, beside its data and its sealed part.
_ROW_BYTES = 260
_QUERY = (
    "SELECT e.session_id, COUNT(*) AS events, SUM(LENGTH(CAST(e.data AS BLOB)) + COALESCE(LENGTH(e.sealed), 0)"
    " + COALESCE(LENGTH(b.data), 0)) AS bytes FROM events e LEFT JOIN blobs b ON b.position = e.position"
    " WHERE e.position <= ? GROUP BY e.session_id"
)


class LogSize(NamedTuple):
    """Of one session, or of all that belongs to none; `stored_bytes` without the file's own overhead."""

    session_id: int | None
    events: int
    stored_bytes: int


def sizes(log: EventLog, upto: int) -> list[LogSize]:
    """Largest first, of the events up to a position; reads the whole log. Bodies count for the session that they were
    recorded with, and what was erased no longer counts. Raises the library's PersistenceError."""
    with log.recorder.datastore.transaction(commit=False) as cursor:
        cursor.execute(_QUERY, (upto,))
        found = [LogSize(row[0], row[1], row[2] + row[1] * _ROW_BYTES) for row in cursor.fetchall()]
    return sorted(found, key=lambda size: (-size.stored_bytes, size.session_id or 0))
