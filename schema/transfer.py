"""A whole log in one file, to be taken elsewhere: what it says, and that it is whole.

The file is a zstd stream of JSON lines: a header, each event with its columns, hashes and blob, keys where they are
wanted, and an end with the sha256 of all lines before it. It needs no other file, and no version of SQLite.
"""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import zstandard

from schema.keys import KEY_BYTES, KeyStore, stored_keys
from schema.migrations import read_only_uri
from schema.recorder import COLUMNS, GENESIS, MIGRATIONS, chain_hash, parts_of

FORMAT, VERSION = "chronoproxy log", 1
_BATCH = 1_000
_LEVEL = 3
_READ = 8 << 10  # packed bytes at a time: little, because a few can stand for very many
_LONGEST = 1 << 30  # bytes of a line: a blob is no longer
_BINARY = ("hash", "prev_hash", "sealed")
_NAMES = tuple(name.strip() for name in COLUMNS.split(","))
Progressed = Callable[[int, int], None]


class TransferError(Exception):
    """The file is not what was written, or cannot be taken; the message says where and why."""


class NewerFileError(TransferError):
    """The file was written by a newer version of the program."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`log_format` is that of events.sqlite; `sessions` are those whose contents are in the file, None for all."""

    format: str
    version: int
    log_format: int
    head: int
    hash: str
    keys: bool
    sessions: tuple[int, ...] | None = None

    @property
    def whole(self) -> bool:
        """Whether everything can be read again."""
        return self.keys and self.sessions is None


class Counts(msgspec.Struct):
    events: int = 0
    blobs: int = 0
    keys: int = 0


class Exported(msgspec.Struct, frozen=True):
    header: Header
    counts: Counts


def export(
    directory: Path,
    target: BinaryIO,
    progressed: Progressed,
    *,
    keys: bool = False,
    sessions: Collection[int] | None = None,
) -> Exported:
    """Write the log of `directory` up to its head now; a server may go on writing to it. With `sessions`, contents and
    keys of these only: every event is there all the same, because each is in the hash of the next.

    Raises TransferError where a session was erased meanwhile, and sqlite3.Error.
    """
    held = set(_keys(directory))
    with closing(_reading(directory / "events.sqlite")) as db, _lines_to(target) as write:
        head, digest = db.execute("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1").fetchone() or (
            0,
            GENESIS,
        )
        chosen = tuple(sorted(sessions)) if sessions is not None else None
        header = Header(
            format=FORMAT,
            version=VERSION,
            log_format=len(MIGRATIONS),
            head=head,
            hash=bytes(digest).hex(),
            keys=keys,
            sessions=chosen,
        )
        counts = Counts()
        write({"header": msgspec.to_builtins(header)})
        for row in _rows(db, head):
            blob = row["blob"] if chosen is None or row["session_id"] in chosen else None
            write(_event_line(row, blob))
            counts.events += 1
            counts.blobs += blob is not None
            progressed(row["position"], head)
        found = _keys(directory)
        if held - set(found):
            raise TransferError("a session was erased meanwhile: nothing was written, try again")
        if keys:
            for name, value in _secrets(directory):
                write({"secret": [name, _text(value)]})
            for number, (key, created_at) in found.items():
                if chosen is None or number in chosen:
                    write({"key": [number, _text(key), created_at]})
                    counts.keys += 1
        write({"end": msgspec.to_builtins(counts)}, end=True)
    return Exported(header, counts)


def header_of(source: BinaryIO) -> tuple[Header, Iterator[tuple[int, dict[str, Any]]]]:
    """What a file says of itself, and its other lines with their numbers, checked to the end while they are read.
    Raises TransferError."""
    lines = _lines_of(source)
    try:
        _, first = next(lines)
        header = msgspec.convert(first.get("header"), Header)
    except (StopIteration, msgspec.ValidationError):
        raise TransferError("this is no exported log") from None
    if header.format != FORMAT:
        raise TransferError("this is no exported log")
    if header.version > VERSION or header.log_format > len(MIGRATIONS):
        raise NewerFileError(f"the file has version {header.version}, this program knows up to {VERSION}")
    return header, lines


class Chain:
    """The events of a file, one after the other, each checked against its hash and the one before."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self.position, self._hash = 0, GENESIS

    def row(self, number: int, line: dict[str, Any]) -> tuple[tuple[Any, ...], bytes | None]:
        """The columns of an event's line, and its blob. Raises TransferError."""
        where = f"event {self.position + 1}, in line {number:,}"
        try:
            row = dict(zip(_NAMES, line["event"], strict=True))
            row.update({name: _bytes(row[name]) for name in _BINARY})
            blob = _bytes(line.get("blob"))
            parts = parts_of(cast(sqlite3.Row, _Row(row)))
            digest = chain_hash(self._hash, row["position"], (row["stream"], row["version"], row["type"]), parts)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TransferError(f"{where}, is damaged") from None
        if row["position"] != self.position + 1 or row["prev_hash"] != self._hash or row["hash"] != digest:
            raise TransferError(f"{where}, is not what was written: its hash does not follow from it")
        if blob is not None and hashlib.sha256(blob).hexdigest() != _blob_hash(row["data"]):
            raise TransferError(f"the contents of {where}, are not what was written")
        self.position, self._hash = row["position"], digest
        return tuple(row[name] for name in _NAMES), blob

    def finish(self) -> None:
        """Raises TransferError where events are missing at the end."""
        if (self.position, self._hash.hex()) != (self._header.head, self._header.hash):
            raise TransferError(f"the file ends at event {self.position:,}, it says {self._header.head:,}")


def take_key(keys: KeyStore, number: int, line: dict[str, Any]) -> None:
    """Keep what a line says of keys. Raises TransferError."""
    try:
        if "secret" in line:
            name, value = line["secret"]
            keys.take_secret(str(name), _key(value))
            return
        session_id, value, created_at = line["key"]
        keys.take(int(session_id), _key(value), int(created_at))
    except (KeyError, TypeError, ValueError, AttributeError, sqlite3.Error):
        raise TransferError(f"line {number:,} is damaged") from None


class _Row(dict[str, Any]):
    """A row by name and, as its columns stand, by place."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        values = list(self.values())
        return values[key]


def _event_line(row: sqlite3.Row, blob: bytes | None) -> dict[str, Any]:
    columns = [_text(row[name]) if name in _BINARY else row[name] for name in _NAMES]
    return {"event": columns} if blob is None else {"event": columns, "blob": _text(blob)}


def _blob_hash(data: str) -> str | None:
    found = json.loads(data).get("blob")
    return str(found.get("sha256")) if isinstance(found, dict) else None


def _text(value: bytes | None) -> str | None:
    return base64.b64encode(value).decode() if value is not None else None


def _bytes(text: str | None) -> bytes | None:
    return base64.b64decode(text, validate=True) if text is not None else None


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("no key")
    return key


def _reading(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(read_only_uri(path), uri=True, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def _keys(directory: Path) -> dict[int, tuple[bytes, int]]:
    return stored_keys(directory / "keys.sqlite")


def _secrets(directory: Path) -> list[tuple[str, bytes]]:
    with closing(_reading(directory / "keys.sqlite")) as db:
        return [(row[0], bytes(row[1])) for row in db.execute("SELECT name, value FROM secrets ORDER BY name")]


def _rows(db: sqlite3.Connection, head: int) -> Iterator[sqlite3.Row]:
    """In batches, so that no read transaction holds back a running server's checkpoints."""
    columns = ", ".join(f"events.{name}" for name in _NAMES)
    query = (
        f"SELECT {columns}, blobs.data AS blob FROM events LEFT JOIN blobs USING (position)"
        " WHERE events.position > ? AND events.position <= ? ORDER BY events.position LIMIT ?"
    )
    after = 0
    while rows := db.execute(query, (after, head, _BATCH)).fetchall():
        yield from rows
        after = rows[-1]["position"]


class _Write:
    def __init__(self, stream: Any) -> None:
        self._stream, self._digest = stream, hashlib.sha256()

    def __call__(self, line: dict[str, Any], *, end: bool = False) -> None:
        if end:
            line = {**line, "sha256": self._digest.hexdigest()}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._digest.update(text)
        self._stream.write(text)


@contextmanager
def _lines_to(target: BinaryIO) -> Iterator[_Write]:
    with zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(target, closefd=False) as stream:
        yield _Write(stream)


def _lines_of(source: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines but for the end, which must be there and say what they are. Raises TransferError."""
    digest, number, ended = hashlib.sha256(), 0, False
    for number, text in enumerate(_texts(source), 1):
        if ended:
            raise TransferError(f"something follows behind the end, in line {number:,}")
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not text.endswith(b"\n") or not isinstance(line, dict):
            raise TransferError(f"line {number:,} is damaged, or the file was cut off there")
        if "end" in line:
            if line.get("sha256") != digest.hexdigest():
                raise TransferError(f"the file is not what was written: the sum of its {number - 1:,} lines is another")
            ended = True
            continue
        digest.update(text)
        yield number, line
    if not ended:
        raise TransferError(f"the file was cut off behind line {number:,}" if number else "this is no exported log")


def _texts(source: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends. Raises TransferError for compression that is damaged or has no end."""
    number, rest, unpacking = 0, b"", zstandard.ZstdDecompressor().decompressobj()
    while packed := source.read(_READ):
        where = f"behind line {number:,}" if number else "at its beginning"
        if unpacking.eof:
            raise TransferError("something follows behind the end of the file")
        try:
            *lines, rest = (rest + unpacking.decompress(packed)).split(b"\n")
        except zstandard.ZstdError:
            raise TransferError(f"the file is damaged {where}, or is no exported log") from None
        for line in lines:
            number += 1
            yield line + b"\n"
        if len(rest) > _LONGEST:
            raise TransferError(f"line {number + 1:,} is longer than any that was written")
    if rest:
        yield rest
    if number and (not unpacking.eof or unpacking.unused_data):
        raise TransferError(f"the file was cut off, or something was added, behind line {number:,}")
