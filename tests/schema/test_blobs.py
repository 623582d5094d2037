"""Bodies packed together come apart again."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.blobs import BlobPacker, content_digest, content_ref, unpack
from schema.keys import KeyStore
from schema.sealing import Sealer, SealError

# one data directory serves all examples: nothing of one shows in another
tried = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@tried
@given(bodies=st.lists(st.binary(max_size=2_000), max_size=6))
def test_bodies_come_back_in_order(sealer: Sealer, bodies: list[bytes]) -> None:
    sealer.ensure_keys({1})
    assert unpack(sealer, 1, BlobPacker(sealer).pack(1, bodies)) == bodies


def test_a_large_and_repetitive_body(sealer: Sealer) -> None:
    sealer.ensure_keys({1})
    body = b"the same again; " * 100_000
    blob = BlobPacker(sealer).pack(1, [body, b"", body])
    assert len(blob) < len(body) / 100
    assert unpack(sealer, 1, blob) == [body, b"", body]


def test_a_packer_serves_many_blobs_each_sealed_anew(sealer: Sealer) -> None:
    sealer.ensure_keys({1, 2})
    packer = BlobPacker(sealer)
    blobs = [packer.pack(1, [b"same"]), packer.pack(1, [b"same"]), packer.pack(2, [b"same"])]
    assert len(set(blobs)) == 3
    assert [unpack(sealer, session, blob) for session, blob in zip((1, 1, 2), blobs, strict=True)] == [[b"same"]] * 3


def test_a_changed_blob_does_not_open(sealer: Sealer) -> None:
    sealer.ensure_keys({1})
    blob = BlobPacker(sealer).pack(1, [b"x" * 50])
    for index in range(len(blob)):
        with pytest.raises(SealError):
            unpack(sealer, 1, blob[:index] + bytes([blob[index] ^ 1]) + blob[index + 1 :])


def test_without_the_key_there_are_no_bodies(keys: KeyStore) -> None:
    assert unpack(Sealer(keys), 99, b"whatever") is None


def test_a_ref_is_the_sha256_in_hex() -> None:
    assert content_ref(b"abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("size", [0, 1, 2_047, 2_048, 4_094, 4_095, 65_536, 65_537])
def test_the_digest_of_a_body_is_its_sha256(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert content_digest(data) == hashlib.sha256(data).digest()
    assert content_ref(data) == hashlib.sha256(data).hexdigest()
