"""Reading events.sqlite, from any thread."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal, cast

from eventsourcing.persistence import InfrastructureFactory, PersistenceError
from eventsourcing.sqlite import SQLiteTrackingRecorder
from eventsourcing.utils import get_topic

from schema.blobs import content_ref, unpack
from schema.catalogue import REGISTRY
from schema.codec import EventMapper, EventTranscoder
from schema.configured_secrets import ConfiguredSecrets
from schema.idempotency import SELECT, Kept
from schema.keys import KeyStore
from schema.migrations import bring_up_to_date, check_readable, read_only_uri
from schema.private import make_private
from schema.recorded import Recorded
from schema.recorder import COLUMNS, MIGRATIONS, EventRecorder, chain_hash, parts_of
from schema.registry import Event
from schema.sealing import Sealer
from schema.unreadable import NO_UTF8, UNDECODABLE, Unreadable, escaped, why

_BATCH = 2_000
_NOTED = 100  # unreadable events
_GIVEN_SINCE = 1_000
_COLUMNS = len(COLUMNS.split(","))


class EventLog:
    """The log of one data directory, made of the library's parts through its factory's environment."""

    def __init__(self, path: Path, keys: KeyStore, *, read_only: bool = False) -> None:
        """With `read_only` nothing is ever written, and the file must be there; a running server may go on writing."""
        self.path, self.keys = path, keys
        if read_only:
            check_readable(path, MIGRATIONS)
        else:
            make_private(path)
            bring_up_to_date(path, MIGRATIONS)
        self.sealer = Sealer(keys)
        self._factory = InfrastructureFactory[SQLiteTrackingRecorder].construct(
            {
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": read_only_uri(path) if read_only else str(path),
                "ORIGINATOR_ID_TYPE": "text",
                "APPLICATION_RECORDER_TOPIC": get_topic(EventRecorder),
            }
        )
        self.recorder = cast(EventRecorder, self._factory.application_recorder())
        self._transcoder = EventTranscoder(self.sealer)
        self.unreadable: dict[int, Unreadable] = {}  # what reads have come upon, by position; not more than a few

    def mapper(self, secrets: ConfiguredSecrets | None = None) -> EventMapper:
        """A mapper with a compressor of its own, for one thread; what it stores is without `secrets`."""
        transcoder = EventTranscoder(self.sealer, secrets or ConfiguredSecrets())
        return cast(EventMapper, self._factory.mapper(transcoder, EventMapper))

    def head(self) -> int:
        """Position of the last event, 0 for an empty log."""
        return self.recorder.max_notification_id() or 0

    def read(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        limit: int | None = None,
        types: Sequence[str] = (),
        session_id: int | Sequence[int] | None = None,
        stream: str | None = None,
        strangers: bool = False,
    ) -> list[Recorded]:
        """Events with a position above `after` and up to `upto`, ascending; of a session, or of several. With `types`,
        `strangers` adds those of types that this program does not know. What cannot be decoded is Unreadable."""
        where, values = ["position > ?"], [after]  # type: list[str], list[object]
        for column, value in (("position <=", upto), ("stream =", stream)):
            if value is not None:
                where.append(f"{column} ?")
                values.append(value)
        if session_id is not None:
            numbers = (session_id,) if isinstance(session_id, int) else tuple(session_id)
            where.append(f"session_id IN ({','.join('?' * len(numbers))})")
            values += numbers
        if types:
            named = sorted(set(REGISTRY.names()).difference(types)) if strangers else types
            where.append(f"type {'NOT ' if strangers else ''}IN ({','.join('?' * len(named))})")
            values += named
        query = f"SELECT {COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY position LIMIT ?"
        rows = self._rows(query, (*values, -1 if limit is None else limit))
        try:
            return [self._placed(row, None) for row in rows]
        except UNDECODABLE:
            return [self._contained(row) for row in rows]

    def scan(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        types: Sequence[str] = (),
        session_id: int | None = None,
        stream: str | None = None,
        strangers: bool = False,
    ) -> Iterator[Recorded]:
        """All later events in batches, for folds over the whole log; arguments as of `read`."""
        read = partial(self.read, types=types, session_id=session_id, stream=stream, strangers=strangers)
        while batch := read(after, upto=upto, limit=_BATCH):
            yield from batch
            after = batch[-1].position

    def last_position(self, *, types: Sequence[str], session_id: int | None = None) -> int:
        """Position of the last event of these types (about that session), 0 where there is none."""
        about = "" if session_id is None else " AND session_id = ?"
        values = (*types,) if session_id is None else (*types, session_id)
        query = f"SELECT MAX(position) FROM events WHERE type IN ({','.join('?' * len(types))}){about}"
        return self._number(query, values)

    def given(self) -> int:
        """Ids up to this may have been given by events that are lost, 0 where none is known to be. Each id takes an
        event, and some came after the last event that was noted."""
        head = self.head()
        lost = [each.position for each in self.keys.noted_heads() if each.missing or each.position > head]
        return max(lost) + _GIVEN_SINCE if lost else 0

    def max_id(self, column: Literal["session_id", "exchange_id"]) -> int:
        """The highest id that the log holds, or has lost; 0 for none."""
        where = " WHERE type = 'ExchangeStarted'" if column == "exchange_id" else " WHERE session_id IS NOT NULL"
        return max(self._number(f"SELECT MAX({column}) FROM events{where}", ()), self.given())

    def open_exchanges(self) -> list[Recorded]:
        """The ExchangeStarted of every exchange that has no terminal event."""
        query = (
            "SELECT stream FROM events WHERE stream > 'exchange-' AND stream < 'exchange.'"
            " GROUP BY stream HAVING MAX(version) = 1"
        )
        with self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.execute(query)
            streams = [row["stream"] for row in cursor.fetchall()]
        begun = ("ExchangeStarted",)  # a lone terminal event is left where the beginning could not be recorded
        return [recorded for stream in streams for recorded in self.read(stream=stream, types=begun)]

    def at(self, position: int) -> Recorded | None:
        found = self.read(position - 1, upto=position)
        return found[0] if found else None

    def kept(self, key: bytes, since_ms: int) -> Kept | None:
        """What is kept under an idempotency key since a time."""
        with self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.execute(SELECT, (key, since_ms))
            row = cursor.fetchone()
        return Kept(bytes(row[0]), row[1], row[2], row[3]) if row else None

    def body(self, position: int, ref: str) -> bytes | None:
        """The body `ref` stored with the event at `position`; None when it is not there or was erased.

        Raises SealError when the stored bytes were changed.
        """
        return self.bodies(position).get(ref)

    def bodies(self, position: int) -> dict[str, bytes]:
        """All bodies stored with the event at `position`, by their refs. Raises SealError."""
        with self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.execute("SELECT session_id, data FROM blobs WHERE position = ?", (position,))
            row = cursor.fetchone()
        bodies = unpack(self.sealer, row[0], bytes(row[1])) if row else None
        return {content_ref(body): body for body in bodies or ()}

    def chain_break(self, after: int = 0) -> int | None:
        """The first position above `after` whose hash does not follow from the stored values, or None."""
        with self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.execute("SELECT hash FROM events WHERE position = ?", (after,))
            row = cursor.fetchone()
            prev, expected = bytes(row[0]) if row else bytes(32), after + 1
            cursor.execute(f"SELECT {COLUMNS} FROM events WHERE position > ? ORDER BY position", (after,))
            for row in iter(cursor.fetchone, None):
                place = (row["stream"], row["version"], row["type"])
                digest = chain_hash(prev, row["position"], place, parts_of(row))
                if row["position"] != expected or bytes(row["prev_hash"]) != prev or bytes(row["hash"]) != digest:
                    return expected
                prev, expected = digest, expected + 1
        return None

    def recorded(self, row: sqlite3.Row) -> Recorded:
        """The event of a row whose columns begin in the order of COLUMNS. Raises UNDECODABLE."""
        return self._placed(row, None)

    def _placed(self, row: sqlite3.Row, held: Event | None) -> Recorded:
        """An event, decoded unless one is given in its place, with what its row says of it in clear."""
        position, stream, version, name, type_version, session_id, exchange_id, *rest = row[:_COLUMNS]
        timestamp, actor, by, correlation_id, causation_position, digest, prev_hash, data, sealed = rest
        return Recorded(
            position=position,
            stream=stream,
            version=version,
            type=name,
            type_version=type_version,
            session_id=session_id,
            exchange_id=exchange_id,
            timestamp=timestamp,
            actor=actor,
            by=by,
            correlation_id=correlation_id,
            causation_position=causation_position,
            hash=digest.hex(),
            prev_hash=prev_hash.hex(),
            event=held or self._transcoder.event(name, type_version, session_id, exchange_id, data, sealed),
        )

    def _contained(self, row: sqlite3.Row) -> Recorded:
        """The same; an event that cannot be decoded is Unreadable."""
        try:
            return self.recorded(row)
        except UNDECODABLE as error:
            held = Unreadable(position=row[0], type=row[3], session_id=row[5], reason=why(error))
            if len(self.unreadable) < _NOTED:
                self.unreadable[held.position] = held
            return self._placed(row, held)

    def _rows(self, query: str, values: tuple[object, ...]) -> list[sqlite3.Row]:
        try:
            with self.recorder.datastore.transaction(commit=False) as cursor:
                cursor.execute(query, values)
                rows: list[sqlite3.Row] = cursor.fetchall()
                return rows
        except PersistenceError as error:
            if NO_UTF8 not in str(error):
                raise
        with closing(sqlite3.connect(read_only_uri(self.path), uri=True)) as db:
            db.row_factory, db.text_factory = sqlite3.Row, escaped
            return db.execute(query, values).fetchall()

    def _number(self, query: str, values: tuple[object, ...]) -> int:
        with self.recorder.datastore.transaction(commit=False) as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()[0] or 0

    def close(self) -> None:
        self._factory.close()
