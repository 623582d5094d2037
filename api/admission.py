"""Whether a request may come in, and what its headers say for all of its way: worked out once for each client.

The requests of one client differ in their length and id only. So for completions the outcome is kept by the other
headers, on which all of it depends, and looking it up takes a tenth of the checks.
"""

import msgspec

from api.gate import Denial, Gate, Headers, is_preflight
from api.handshake import LIVE_PATH
from api.reply import Pairs
from proxy.caller import Caller
from proxy.headers import VARYING, credential

CHAT_PATHS = ("/v1/chat/completions", "/chat/completions")
_KEPT = 1_000
_MAX_BYTES = 8_192  # of headers that are kept


class Admission(msgspec.Struct, frozen=True):
    """`denial` is None where the request may come in; `added` goes into every answer (CORS); `origin_allowed` says that
    the configuration names its Origin; `caller` is there for completions."""

    denial: Denial | None
    added: tuple[tuple[bytes, bytes], ...]
    preflight: bool
    origin_allowed: bool
    caller: Caller | None


class Admissions:
    """The gate with a memory of completions."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._known: dict[tuple[object, ...], Admission] = {}

    def of(self, method: str, path: str, local: str | None, headers: Headers) -> Admission:
        """The same for the same arguments. `local` is the address that the request arrived at."""
        if path not in CHAT_PATHS:
            # a page may read the answers of a WebSocket that it connects
            connects = path == LIVE_PATH and method in ("GET", "HEAD")
            return self._admit("CONNECT" if connects else method, path, local, headers)
        key = (method, path, local, *[pair for pair in headers if pair[0] not in VARYING])
        known = self._known.get(key)
        if known is None:
            known = self._admit(method, path, local, headers)
            if sum(len(name) + len(value) for name, value in headers) <= _MAX_BYTES:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[key] = known
        return known

    def authorized(self, headers: Headers) -> bool:
        """Whether the caller may see what the management API shows."""
        return self._gate.authorized(headers)

    def _admit(self, method: str, path: str, local: str | None, headers: Headers) -> Admission:
        origin = self._gate.allowed_origin(headers)
        return Admission(
            self._gate.denial(method, path, headers, local),
            tuple(_cors(origin)),
            is_preflight(method, headers),
            origin is not None,
            Caller(headers, credential(headers)) if path in CHAT_PATHS else None,
        )


def _cors(origin: str | None) -> Pairs:
    """CORS headers, only for an origin that the configuration names."""
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"Origin"),
    ]
