"""A log in one file: what goes out comes back as it was, and nothing else does."""

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from schema.keys import KeyStore
from schema.locked_out import why_not_served
from schema.log import EventLog
from schema.taking import NotEmptyError, take_in
from schema.transfer import NewerFileError, TransferError, export
from schema.verification import Verifier
from tests.schema.writing import Writing, some_events


def nothing_shown(done: int, total: int) -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    keys.secret("message hashes")
    with Writing(log) as writing:
        writing.commit(*some_events())
    log.close()
    keys.close()
    return directory


def exported(source: Path, *, keys: bool = True, sessions: tuple[int, ...] | None = None) -> bytes:
    target = io.BytesIO()
    export(source, target, nothing_shown, keys=keys, sessions=sessions)
    return target.getvalue()


def plain(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()


def packed(text: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(text)


def taken(tmp_path: Path, content: bytes) -> Path:
    path, directory = tmp_path / "log.zst", tmp_path / "new"
    path.write_bytes(content)
    take_in(path, directory, nothing_shown)
    return directory


def rows(directory: Path, query: str, name: str = "events") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(directory / f"{name}.sqlite")) as db:
        return db.execute(query).fetchall()


def test_what_comes_back_is_what_went_out(tmp_path: Path, source: Path) -> None:
    first = exported(source)
    directory = taken(tmp_path, first)
    for query, name in (
        ("SELECT * FROM events ORDER BY position", "events"),
        ("SELECT * FROM blobs ORDER BY position", "events"),
        ("SELECT * FROM session_keys ORDER BY session_id", "keys"),
        ("SELECT * FROM secrets ORDER BY name", "keys"),
    ):
        assert rows(directory, query, name) == rows(source, query, name)
    assert exported(directory) == first
    assert why_not_served(directory) is None
    assert [path.name for path in tmp_path.iterdir() if "importing" in path.name] == []
    assert (directory / "keys.sqlite").stat().st_mode & 0o777 == 0o600


def test_an_empty_log(tmp_path: Path) -> None:
    directory = tmp_path / "source"
    directory.mkdir()
    keys = KeyStore(directory / "keys.sqlite")
    EventLog(directory / "events.sqlite", keys).close()
    keys.close()
    assert rows(taken(tmp_path, exported(directory)), "SELECT count(*) FROM events") == [(0,)]


@pytest.mark.parametrize(("keys", "sessions", "blobs", "held"), [(False, None, 2, 0), (True, (2,), 0, 1)])
def test_without_all_keys_it_verifies_and_is_not_served(
    tmp_path: Path, source: Path, keys: bool, sessions: tuple[int, ...] | None, blobs: int, held: int
) -> None:
    directory = taken(tmp_path, exported(source, keys=keys, sessions=sessions))
    assert rows(directory, "SELECT count(*) FROM blobs") == [(blobs,)]
    assert rows(directory, "SELECT count(*) FROM session_keys", "keys") == [(held,)]
    assert rows(directory, "SELECT hash FROM events") == rows(source, "SELECT hash FROM events")
    assert why_not_served(directory) is not None
    store = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", store)
    assert Verifier(log).run().ok is True
    log.close()
    store.close()


def check_refused(tmp_path: Path, content: bytes, said: str, error: type[Exception] = TransferError) -> None:
    with pytest.raises(error, match=said):
        taken(tmp_path, content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.zst", "source"]


def test_what_is_not_whole_is_refused_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    content = exported(source)
    lines = plain(content).split(b"\n")[:-1]
    check_refused(tmp_path, b"", "no exported log")
    check_refused(tmp_path, b"something else", "damaged at its beginning")
    check_refused(tmp_path, packed(b'{"header": 1}\n'), "no exported log")
    for end in (1, len(content) // 2, len(content) - 1):
        check_refused(tmp_path, content[:end], "cut off|damaged|no exported log")
    check_refused(tmp_path, content + b"x", "added|follows")
    check_refused(tmp_path, packed(plain(content) + b"{}\n"), "follows behind the end")
    check_refused(tmp_path, packed(b"\n".join(lines[:-1]) + b"\n"), f"cut off behind line {len(lines) - 1}")
    check_refused(tmp_path, packed(b"\n".join([*lines[:4], *lines[5:], b""])), "event 4, in line 5")
    check_refused(tmp_path, packed(b"\n".join([*lines[:4], b"nonsense", *lines[5:], b""])), "line 5 is damaged")
    check_refused(tmp_path, packed(b"\n".join([*lines[:-1], b'{"end":{}}', b""])), "the sum of its")
    keyless = [line for line in lines if b'"key"' not in line]
    check_refused(tmp_path, packed(b"\n".join([*keyless, b""])), "the sum of its")


@pytest.mark.parametrize("column", range(16))
def test_every_changed_value_is_found_where_it_stands(tmp_path: Path, source: Path, column: int) -> None:
    lines = plain(exported(source)).split(b"\n")
    event = json.loads(lines[4])
    old = event["event"][column]
    event["event"][column] = {str: f"{old}x", int: 77, type(None): 5}[type(old)]
    lines[4] = json.dumps(event).encode()
    check_refused(tmp_path, packed(b"\n".join(lines)), "event 4, in line 5")
    event["event"][column] = old
    event["blob"] = "AAAA"
    lines[4] = json.dumps(event).encode()
    check_refused(tmp_path, packed(b"\n".join(lines)), "contents of event 4, in line 5")


@pytest.mark.parametrize("change", [{"version": 2}, {"log_format": 99}])
def test_a_newer_file_is_refused(tmp_path: Path, source: Path, change: dict[str, int]) -> None:
    header, *lines = plain(exported(source)).split(b"\n")
    newer = json.dumps({"header": {**json.loads(header)["header"], **change}}).encode()
    check_refused(tmp_path, packed(b"\n".join([newer, *lines])), "this program knows", NewerFileError)


def test_what_is_there_is_not_touched(tmp_path: Path, source: Path) -> None:
    content = exported(source)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").touch()
    with pytest.raises(NotEmptyError):
        taken(tmp_path, content)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]
    (tmp_path / "new" / "mine").unlink()
    assert rows(taken(tmp_path, content), "SELECT count(*) FROM events") == [(10,)]


def test_a_session_that_is_erased_meanwhile(tmp_path: Path, source: Path) -> None:
    """Half of it would be in the file."""
    keys = KeyStore(source / "keys.sqlite")

    def erase(done: int, total: int) -> None:
        keys.destroy(1)

    with pytest.raises(TransferError, match="erased meanwhile"):
        export(source, io.BytesIO(), erase, keys=True)
    keys.close()
