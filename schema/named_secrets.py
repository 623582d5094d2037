"""What the log says of the secrets in keys.sqlite: their sha256, in the event of each start that made or met others.

A secret that was taken away together with its own sha256 leaves nothing behind in keys.sqlite; the log misses it.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping

import msgspec

_NAMED = (
    "SELECT position, data FROM events WHERE stream = 'workspace' AND type = 'ConfigurationLoaded' ORDER BY version"
)


class Named(msgspec.Struct, frozen=True):
    """By the event at `position`; `digest` is the sha256 of the secret, as hex."""

    position: int
    name: str
    digest: str

    def is_kept(self, secrets: Mapping[str, bytes]) -> bool:
        value = secrets.get(self.name)
        return value is not None and hashlib.sha256(value).hexdigest() == self.digest


class _Data(msgspec.Struct, frozen=True):
    secrets: dict[str, str] = {}


def named_secrets(db: sqlite3.Connection) -> Iterator[Named]:
    """All of them, in the order of the log; an event that cannot be read names none. Raises sqlite3.Error."""
    for position, data in db.execute(_NAMED):
        try:
            found = msgspec.json.decode(data, type=_Data)
        except msgspec.MsgspecError:
            continue
        yield from (Named(position, name, digest) for name, digest in found.secrets.items())


def lost_secrets(db: sqlite3.Connection, secrets: Mapping[str, bytes]) -> tuple[str, ...]:
    """The names of those that are not what the log named last. Raises sqlite3.Error."""
    last = {named.name: named for named in named_secrets(db)}
    return tuple(name for name, named in sorted(last.items()) if not named.is_kept(secrets))
