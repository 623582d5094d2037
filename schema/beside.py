"""What stands beside the events, in both files: whether it is as this program writes it. None of it is in a hash."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schema.keys import KEY_BYTES, LAST_EVENT, check_name
from schema.keys import MIGRATIONS as KEY_MIGRATIONS
from schema.named_secrets import Named
from schema.recorder import MIGRATIONS
from schema.shape import differences


class Finding(NamedTuple):
    """`position` of the event that it is about, None where there is none."""

    position: int | None
    kind: str
    text: str


_STRAY = "SELECT position FROM blobs WHERE position < 1 OR position > (SELECT coalesce(max(position), 0) FROM events)"
# A row is kept in the transaction of its events, with their time; one without events between those around it.
_UNFIT = """
SELECT i.position FROM idempotency i LEFT JOIN events e ON e.position = i.position
WHERE length(i.key) <> 32 OR length(i.request) <> 32 OR i.count < 0 OR i.count > i.position
OR (e.position IS NULL AND i.position <> 0) OR (e.timestamp > i.kept_at) OR (i.count > 0 AND e.timestamp <> i.kept_at)
OR (i.count > 0 AND i.refusal IS NOT NULL) OR NOT json_valid(coalesce(i.refusal, '{}'))
OR i.kept_at > (SELECT n.timestamp FROM events n WHERE n.position = i.position + 1)
OR (SELECT count(*) FROM events o WHERE o.position > i.position - i.count AND o.position <= i.position
    AND o.timestamp = i.kept_at AND o.correlation_id IS e.correlation_id AND o.actor = e.actor) <> i.count
ORDER BY i.position
"""


def beside_the_log(db: sqlite3.Connection) -> Iterator[Finding]:
    """Of events.sqlite. Raises sqlite3.Error."""
    changed = differences(db, MIGRATIONS)
    for text in changed:
        yield Finding(None, "changed_shape", f"events.sqlite: {text}")
    if changed:
        return
    for (position,) in db.execute(_STRAY):
        yield Finding(None, "stray_blob", f"there are contents for event {position}, which is not in the log")
    for (position,) in db.execute(_UNFIT):
        text = f"what is kept for an Idempotency-Key about event {position} does not fit the log"
        yield Finding(position or None, "changed_idempotency", text)


def beside_the_keys(db: sqlite3.Connection, named: Iterable[Named]) -> Iterator[Finding]:
    """Of keys.sqlite; `named` are the secrets that the log knows. Raises sqlite3.Error."""
    changed = differences(db, KEY_MIGRATIONS)
    for text in changed:
        yield Finding(None, "changed_shape", f"keys.sqlite: {text}")
    if changed:
        return
    for (session_id,) in db.execute("SELECT session_id FROM session_keys WHERE length(key) <> ?", (KEY_BYTES,)):
        yield Finding(None, "changed_key", f"the key of session {session_id} was changed: it has another length")
    yield from _secrets({name: bytes(value) for name, value in db.execute("SELECT name, value FROM secrets")}, named)
    noted = db.execute("SELECT 1 FROM secrets WHERE name = ?", (LAST_EVENT,)).fetchone()
    if noted and not db.execute("SELECT 1 FROM heads WHERE missing = 0").fetchone():
        yield Finding(None, "missing_note", "keys.sqlite does not say any more which event was the last one")


def _secrets(found: dict[str, bytes], named: Iterable[Named]) -> Iterator[Finding]:
    wrong: dict[str, str] = {}
    for name, digest in found.items():
        secret = name.removeprefix(check_name(""))
        if secret == name:
            continue
        value = found.get(secret)
        if value is None or hashlib.sha256(value).digest() != digest:
            wrong[secret] = "missing" if value is None else "not the one that was made"
    for each in named:
        if not each.is_kept(found):
            how = "not the one that the log names in" if each.name in found else "missing, and is named in"
            wrong.setdefault(each.name, f"{how} event {each.position}")
        elif check_name(each.name) not in found:
            wrong.setdefault(each.name, "without the sha256 that was kept beside it")
    for secret, how in wrong.items():
        yield Finding(None, "changed_secret", f"keys.sqlite: the secret for {secret} is {how}")
