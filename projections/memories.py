"""What is remembered: each memory once with its text, and what became of it as versions.

Texts stand here in clear, so that they can be searched; erasing a session takes its texts out of the tables and of
their index. A memory keeps the session that it was stored in, whose key seals its text; which session it belongs to
is a matter of its versions.
"""

import sqlite3
from typing import Any

import msgspec

from projections.declaration import Contents, Projection, on
from projections.memory_totals import TOTALS_TABLE, add_totals
from projections.memory_versions import VERSIONS_TABLES, Version, alive_of, begin, change, current, owned_by
from projections.words import TOKENIZER, Words
from schema.erasure import SessionErased
from schema.memory import (
    MemoryDemoted,
    MemoryForgotten,
    MemoryPromoted,
    MemoryRecalled,
    MemoryRestored,
    MemoryStored,
)
from schema.moving import SessionsMerged
from schema.recorded import Recorded
from schema.sealing import SealError
from schema.sessions import SessionDeleted

TABLES = (
    "CREATE TABLE memories("
    "position INTEGER PRIMARY KEY, memory_id INTEGER NOT NULL UNIQUE, session_id INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, actor TEXT NOT NULL, made_by TEXT, content_ref TEXT NOT NULL,"
    " tokens INTEGER NOT NULL, origin TEXT NOT NULL, exchange_id INTEGER, message_ref TEXT, supersedes TEXT NOT NULL,"
    " number INTEGER NOT NULL, words INTEGER NOT NULL, words_so_far INTEGER NOT NULL, scope TEXT NOT NULL,"
    " content TEXT, terms TEXT, preview TEXT, metadata TEXT, erased INTEGER NOT NULL) STRICT",
    "CREATE INDEX memories_of_session ON memories(session_id)",
    *VERSIONS_TABLES,
    TOTALS_TABLE,
    "CREATE VIRTUAL TABLE memory_index USING fts5(content, scope, content = 'memories', content_rowid = 'position',"
    f" tokenize = '{TOKENIZER}')",
)
_INSERT = f"INSERT INTO memories VALUES ({', '.join('?' * 21)})"
_encode = msgspec.json.Encoder().encode


def scope_of(session_id: int) -> str:
    """The word by which the index knows the memories of a session."""
    return f"session{session_id}"


class MemoryRows:
    """Rows while events come in; nothing waits in memory."""

    def __init__(self, db: sqlite3.Connection, contents: Contents) -> None:
        self._db, self._contents, self._words = db, contents, Words()

    def stored(self, recorded: Recorded, event: MemoryStored) -> None:
        text = self._text(recorded.position, event.content_ref)
        terms = self._words.counts(text) if text is not None else {}
        words = sum(terms.values())
        number, so_far = self._before()
        self._db.execute(
            _INSERT,
            (
                recorded.position,
                event.memory_id,
                event.session_id,
                recorded.timestamp,
                recorded.actor,
                recorded.by,
                event.content_ref,
                event.tokens,
                event.origin,
                event.exchange_id,
                event.message_ref,
                " ".join(map(str, event.supersedes)),
                number + 1,
                words,
                so_far + words,
                scope_of(event.session_id),
                text,
                _encode(terms).decode() if text is not None else None,
                event.preview,
                event.metadata,
                text is None,
            ),
        )
        self._db.execute(
            "INSERT INTO memory_index(rowid, content, scope) VALUES (?, ?, ?)",
            (recorded.position, text, scope_of(event.session_id)),
        )
        version = Version(
            event.memory_id,
            recorded.position,
            event.session_id,
            event.memory_type,
            recorded.timestamp,
            event.accesses or 1,
        )
        begin(self._db, version)
        add_totals(self._db, recorded.position, None, version, event.tokens)

    def recalled(self, recorded: Recorded, event: MemoryRecalled) -> None:
        for number in dict.fromkeys(event.memory_ids):
            version = current(self._db, number)
            if version is not None:
                count = version.access_count + 1
                self._change(recorded, version, access_count=count, last_accessed_at=recorded.timestamp)

    def retyped(self, recorded: Recorded, event: MemoryPromoted | MemoryDemoted) -> None:
        self._change(recorded, self._known(event.memory_id), memory_type=event.to)

    def forgotten(self, recorded: Recorded, event: MemoryForgotten) -> None:
        version = self._known(event.memory_id)
        self._change(recorded, version, gone=event.cause, superseded_by=event.superseded_by)

    def restored(self, recorded: Recorded, event: MemoryRestored) -> None:
        self._change(recorded, self._known(event.memory_id), gone=None, superseded_by=None)

    def deleted(self, recorded: Recorded, event: SessionDeleted) -> None:
        for version in alive_of(self._db, event.session_id):
            self._change(recorded, version, gone="deleted")

    def merged(self, recorded: Recorded, event: SessionsMerged) -> None:
        for source in event.source_ids:
            for version in owned_by(self._db, source):
                self._change(recorded, version, session_id=event.target_id)

    def erased(self, recorded: Recorded, event: SessionErased) -> None:
        """Texts are gone, from the index too: as if the rows were made from the log now."""
        found = self._db.execute(
            "SELECT memory_id, content IS NOT NULL FROM memories WHERE session_id = ?", (event.session_id,)
        ).fetchall()
        for number, _ in found:
            version = self._known(number)
            if version.gone is None:
                self._change(recorded, version, gone="erased")
        self._db.execute(
            "UPDATE memories SET content = NULL, terms = NULL, preview = NULL, metadata = NULL, words = 0, erased = 1"
            " WHERE session_id = ?",
            (event.session_id,),
        )
        if any(held for _, held in found):
            self._count_words()
            self._db.execute("INSERT INTO memory_index(memory_index) VALUES ('rebuild')")

    def write(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing is kept."""

    def _change(self, recorded: Recorded, before: Version, **fields: Any) -> None:
        after = change(self._db, before, recorded.position, **fields)
        query = "SELECT tokens FROM memories WHERE memory_id = ?"
        (tokens,) = self._db.execute(query, (before.memory_id,)).fetchone()
        add_totals(self._db, recorded.position, before, after, tokens)

    def _known(self, number: int) -> Version:
        """Raises LookupError."""
        version = current(self._db, number)
        if version is None:
            raise LookupError(f"memory {number} was never stored")
        return version

    def _text(self, position: int, ref: str) -> str | None:
        """Raises LookupError where the stored bytes were changed."""
        try:
            data = self._contents(position).get(ref)
        except SealError as error:
            raise LookupError(str(error)) from error
        return data.decode() if data is not None else None

    def _before(self) -> tuple[int, int]:
        query = "SELECT number, words_so_far FROM memories ORDER BY position DESC LIMIT 1"
        row = self._db.execute(query).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def _count_words(self) -> None:
        """Sums anew, without those that are gone."""
        so_far = 0
        rows = self._db.execute("SELECT position, words FROM memories ORDER BY position").fetchall()
        sums = [(so_far := so_far + words, position) for position, words in rows]
        self._db.executemany("UPDATE memories SET words_so_far = ? WHERE position = ?", sums)


MEMORIES = Projection(
    name="memories",
    version=2,
    tables=TABLES,
    fold_contents=MemoryRows,
    handles=dict(
        (
            on(MemoryStored, MemoryRows.stored),
            on(MemoryRecalled, MemoryRows.recalled),
            on(MemoryPromoted, MemoryRows.retyped),
            on(MemoryDemoted, MemoryRows.retyped),
            on(MemoryForgotten, MemoryRows.forgotten),
            on(MemoryRestored, MemoryRows.restored),
            on(SessionDeleted, MemoryRows.deleted),
            on(SessionsMerged, MemoryRows.merged),
            on(SessionErased, MemoryRows.erased),
        )
    ),
)
