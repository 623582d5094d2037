"""Encryption of what a session's key protects: AES-256-GCM with a random 96-bit nonce in front of the ciphertext."""

import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schema.keys import KeyStore

_NONCE_BYTES = 12
_CACHED_CIPHERS = 1_000


class SealError(Exception):
    """Sealed bytes do not open under their session's key: they were changed, or the key is another."""


class NoKeyError(SealError):
    """The session has no key: it was destroyed or lost, and none is made in its place."""


def opens(key: bytes, sealed: bytes) -> bool:
    """Whether it is the key that these bytes were sealed with."""
    try:
        AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        return False
    return True


class Sealer:
    """Seals and opens bytes for a session. Random nonces, because a counter would repeat after a failed commit.

    Usable from any thread: the cache holds values only, and the worst race makes one cipher twice.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._ciphers: dict[int, AESGCM] = {}

    def ensure_keys(
        self, session_ids: set[int], has_contents: Callable[[int], bool] = lambda session_id: False
    ) -> None:
        """Commit keys for the sessions that have none yet. Where `has_contents` says that the log holds something of
        theirs, there was one: no other takes its place."""
        new = [number for number in session_ids - self._ciphers.keys() if self._keys.key(number) is None]
        if new:
            self._keys.ensure(number for number in new if not has_contents(number))

    def forget(self, session_id: int) -> None:
        """The session's key was destroyed."""
        self._ciphers.pop(session_id, None)

    def seal(self, session_id: int, plain: bytes) -> bytes:
        """Raises NoKeyError."""
        cipher = self._cipher(session_id)
        if cipher is None:
            raise NoKeyError(f"session {session_id} has no key: it was lost or destroyed")
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, plain, None)

    def open(self, session_id: int, sealed: bytes) -> bytes | None:
        """The plain bytes, or None when the session's key was destroyed. Raises SealError for changed bytes."""
        cipher = self._cipher(session_id)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"content of session {session_id} does not open") from error

    def _cipher(self, session_id: int) -> AESGCM | None:
        cipher = self._ciphers.get(session_id)
        if cipher is None:
            key = self._keys.key(session_id)
            if key is None:
                return None
            if len(self._ciphers) >= _CACHED_CIPHERS:
                self._ciphers.clear()
            cipher = self._ciphers[session_id] = AESGCM(key)
        return cipher
