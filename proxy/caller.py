"""What the headers of a request say about who sends it, and as what they go up: worked out once for all requests with
the same headers.

The requests of one client differ in two headers only: their length, and an id of their own.
"""

from collections.abc import Sequence

from proxy.family import client_family
from proxy.headers import VARYING, upstream_headers, upstream_pair
from proxy.intake import Headers
from proxy.providers import Provider
from proxy.signals import USER_AGENT, header_signal, is_retry, session_headers
from proxy.upstream import UpstreamHeaders

_REQUEST_ID = b"x-request-id"


class Caller:
    """`headers` may lack those that vary. `family` is the kind of client, `signal` what the headers alone say about the
    session, `retry` that the request was sent before; `agent` is the kind of client for whom turns are kept."""

    __slots__ = ("_headers", "_up", "agent", "credential", "family", "retry", "signal")

    def __init__(self, headers: Sequence[tuple[bytes, bytes]], credential: str | None) -> None:
        self._headers = [pair for pair in headers if pair[0] not in VARYING]
        self._up: dict[str, tuple[UpstreamHeaders, bool]] = {}
        self.credential = credential
        said = session_headers(headers)
        self.family = client_family(said.get(USER_AGENT))
        agent = next((value for name, value in headers if name == USER_AGENT), None)
        self.agent = client_family(agent.decode("latin-1")) if agent is not None else None
        self.signal = header_signal(said)
        self.retry = is_retry(said)

    def upstream(self, provider: Provider) -> UpstreamHeaders:
        """Its headers for a provider, the same object each time."""
        return self._for(provider)[0]

    def own(self, provider: Provider, headers: Headers, request_id: str) -> tuple[tuple[str, str], ...]:
        """Those for a provider that this request alone has: its id, the client's where it sent one, else ours."""
        sent = [pair for pair in headers if pair[0] == _REQUEST_ID]
        if not sent:
            return (("X-Request-Id", request_id),)
        if not self._for(provider)[1]:
            return ()
        return tuple(pair for name, value in sent if (pair := upstream_pair(name, value)) is not None)

    def _for(self, provider: Provider) -> tuple[UpstreamHeaders, bool]:
        """Also whether an id of the client's goes up."""
        known = self._up.get(provider.key)
        if known is None:
            key, extra = provider.api_key or None, provider.headers
            pairs = upstream_headers(self._headers, api_key=key, extra=extra)
            probe = upstream_headers([*self._headers, (_REQUEST_ID, b"-")], api_key=key, extra=extra)
            known = self._up[provider.key] = UpstreamHeaders(pairs), len(probe) > len(pairs)
        return known
