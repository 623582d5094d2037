"""Whose contents may be gone, by what the log says: a key that is missing without an erasure was lost or taken."""

import sqlite3

import msgspec

_QUERY = (
    "SELECT type, session_id, data FROM events WHERE stream = 'workspace'"
    " AND type IN ('SessionErasureRequested', 'SessionErased', 'SessionsMerged') ORDER BY version"
)


class _Merged(msgspec.Struct):
    source_ids: tuple[int, ...] = ()


_decode = msgspec.json.Decoder(_Merged).decode


def erased_sessions(db: sqlite3.Connection) -> frozenset[int]:
    """Sessions that were to be erased, finished or not, and all that had become parts of them. Raises sqlite3.Error."""
    erased: set[int] = set()
    parts: dict[int, list[int]] = {}
    for kind, session_id, data in db.execute(_QUERY):
        if kind != "SessionsMerged":
            erased.add(session_id)
            continue
        try:
            parts.setdefault(session_id, []).extend(_decode(data).source_ids)
        except msgspec.MsgspecError:
            continue  # an event that was changed speaks for nobody
    found = list(erased)
    for number in found:
        found += [part for part in parts.get(number, ()) if part not in erased]
        erased.update(parts.get(number, ()))
    return frozenset(erased)
