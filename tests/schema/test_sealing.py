"""Sealed bytes open under their session's key only, unchanged; keys last."""

import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.keys import KEY_BYTES, KeyStore
from schema.sealing import Sealer, SealError


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain=st.binary(max_size=500))
def test_sealed_bytes_open_again(sealer: Sealer, plain: bytes) -> None:
    sealer.ensure_keys({1})
    sealed = sealer.seal(1, plain)
    assert sealed != sealer.seal(1, plain)
    assert sealer.open(1, sealed) == plain


def test_changed_bytes_are_an_error(sealer: Sealer) -> None:
    sealer.ensure_keys({1, 2})
    sealed = sealer.seal(1, b"text")
    for index in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.open(1, sealed[:index] + bytes([sealed[index] ^ 128]) + sealed[index + 1 :])
    for shorter in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.open(1, sealed[:shorter])
    with pytest.raises(SealError):
        sealer.open(2, sealed)


def test_without_a_key_nothing_is_sealed_and_nothing_opens(sealer: Sealer) -> None:
    with pytest.raises(SealError, match="no key"):
        sealer.seal(5, b"text")
    assert sealer.open(5, b"x" * 40) is None


def test_more_sessions_than_the_caches_hold(keys: KeyStore) -> None:
    sealer = Sealer(keys)
    numbers = range(1, 1_050)
    sealer.ensure_keys(set(numbers))
    sealed = {number: sealer.seal(number, b"%d" % number) for number in numbers}
    for number in numbers:
        assert sealer.open(number, sealed[number]) == b"%d" % number


def test_more_keys_than_the_store_remembers(keys: KeyStore) -> None:
    keys.ensure(range(1, 10_002))
    keys.ensure(range(20_000, 20_010))
    first = [keys.key(number) for number in range(1, 10_002)]
    assert None not in first
    assert [keys.key(number) for number in range(1, 10_002)] == first
    assert keys.key(20_005) is not None


def test_a_secret_that_is_there_is_had_from_a_file_that_is_locked(keys: KeyStore) -> None:
    made = keys.secret("chains")
    with closing(sqlite3.connect(keys.path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert keys.secret("chains") == made
        with pytest.raises(sqlite3.OperationalError):
            keys.secret("other")


def test_keys_outlive_the_process_that_made_them(tmp_path: Path) -> None:
    first = KeyStore(tmp_path / "k.sqlite")
    first.ensure([1, 2])
    made = first.key(1), first.key(2), first.secret("chains")
    first.ensure([2, 1])
    assert (first.key(1), first.key(2), first.secret("chains")) == made
    first.close()
    second = KeyStore(tmp_path / "k.sqlite")
    assert (second.key(1), second.key(2), second.secret("chains")) == made
    assert len({*made, second.secret("other")}) == 4
    assert all(key is not None and len(key) == KEY_BYTES for key in made)
    assert second.key(3) is None
    second.close()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_the_key_file_is_for_its_owner_only(tmp_path: Path, keys: KeyStore) -> None:
    keys.ensure([1])
    files = sorted(tmp_path.glob("keys.sqlite*"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * len(files)


def test_a_locked_key_file_is_an_error_and_works_afterwards(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "k.sqlite", busy_timeout_s=0.05)
    other = sqlite3.connect(tmp_path / "k.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.ensure([1])
    assert store.key(1) is None
    other.execute("ROLLBACK")
    other.close()
    store.ensure([1])
    assert store.key(1) is not None
    store.close()
