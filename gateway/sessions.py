"""Mcp-Session-Ids. They are signed and not stored, so that they outlive a restart of the proxy: not every client shakes
hands anew by itself."""

import hashlib
import hmac
import secrets

_ENDED = 10_000  # remembered


class McpSessions:
    """Makes and knows the ids of all servers. An id belongs to the server that it was made for."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._ended: dict[str, None] = {}

    def begin(self, server: str) -> str:
        token = secrets.token_hex(16)
        return f"{token}.{self._signature(server, token)}"

    def alive(self, server: str, session_id: str) -> bool:
        token, _, signature = session_id.partition(".")
        right = hmac.compare_digest(signature.encode("latin-1", "replace"), self._signature(server, token).encode())
        return right and session_id not in self._ended

    def end(self, session_id: str) -> None:
        """From now on it is dead, until the proxy restarts."""
        if len(self._ended) >= _ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[session_id] = None

    def _signature(self, server: str, token: str) -> str:
        text = f"{server}\0{token}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]
