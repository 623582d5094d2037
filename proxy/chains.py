"""Which session a list of messages continues, from the messages alone (contract 3.3.2, rule hash_chain).

A conversation is known by hashes of its prefixes. Every depth from 2 on is remembered (never depth 1 of a longer list:
strangers share a system prompt), and each chain of a session has a tip: the messages received last, plus the answer
once it is there. Two conversations may share a beginning; the one whose tip is just here is continued, the latest first.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from proxy.facts import RequestFacts

CANON_BYTES = 16
_CHAINS_PER_SESSION = 16
_PREFIXES_PER_SESSION = 20_000
_SESSIONS = 2_000

Branch = Literal["fork", "client_compaction", "retry"]
Hash = Callable[[bytes], bytes]


class Chain(msgspec.Struct):
    """One line of conversation in a session; `exchange_id` is its last exchange. `trail` holds the canons of its tip's
    last three messages once they are known, `closed` tells whether the last exchange got its answer."""

    session_id: int
    exchange_id: int
    tip: bytes
    trail: bytes | None = None
    closed: bool = False


class Match(msgspec.Struct, frozen=True):
    """`chain` is the line that is continued; None for a new line of the session (a fork)."""

    session_id: int
    chain: Chain | None = None
    branch: Branch | None = None


class _Session(msgspec.Struct):
    prefixes: set[bytes] = msgspec.field(default_factory=set)
    chains: list[Chain] = msgspec.field(default_factory=list)


class ChainIndex:
    """All known prefixes and tips, of the latest 2,000 sessions."""

    def __init__(self, hash_: Hash) -> None:
        self._hash = hash_
        self._sessions: OrderedDict[int, _Session] = OrderedDict()
        self._prefixes: dict[bytes, tuple[int, ...]] = {}
        self._tips: dict[bytes, list[Chain]] = {}
        self._trails: dict[bytes, list[Chain]] = {}

    def prefix(self, scope: bytes, canons: bytes, count: int) -> bytes:
        """The hash of the first `count` messages within a scope (credential and client family)."""
        return self._hash(scope + canons[: count * CANON_BYTES])

    def find(self, scope: bytes, request: RequestFacts, *, retry: bool) -> Match | None:
        """The session that the request continues, over all sessions of the scope."""
        whole = self.prefix(scope, request.canons, request.count)
        again = self._repeated(whole, retry=retry)
        if again is not None:
            return again
        if request.first_assistant is None:
            return None
        for count in range(request.count, max(1, request.first_assistant), -1):
            known = whole if count == request.count else self.prefix(scope, request.canons, count)
            if known in self._prefixes:
                return self._continued(known)
        return self._compacted(scope, request)

    def find_in(self, session_id: int, scope: bytes, request: RequestFacts, *, retry: bool) -> Match:
        """Which line of a session that is already known the request continues."""
        session = self._sessions.get(session_id)
        if session is None:
            return Match(session_id)
        whole = self.prefix(scope, request.canons, request.count)
        again = self._repeated(whole, retry=retry)
        if again is not None and again.session_id == session_id:
            return again
        tips = {chain.tip: chain for chain in session.chains}
        for count in range(request.count, 0, -1):
            known = self.prefix(scope, request.canons, count)
            if known in tips:
                return Match(session_id, tips[known])
            if known in session.prefixes and request.first_assistant is not None and count > request.first_assistant:
                return Match(session_id, None, "fork")
        return Match(session_id)

    def begin(self, match: Match, exchange_id: int, scope: bytes, request: RequestFacts) -> Chain:
        """Remember a request that starts; the chain that it is now the tip of."""
        session = self._session(match.session_id)
        if len(session.prefixes) < _PREFIXES_PER_SESSION:
            self._learn(match.session_id, session, scope, request)
        tip = self.prefix(scope, request.canons, request.count)
        chain = match.chain
        if chain is None or chain not in session.chains:
            chain = Chain(match.session_id, exchange_id, tip)
            session.chains.append(chain)
            if len(session.chains) > _CHAINS_PER_SESSION:
                self._forget_chain(session.chains.pop(0))
        self._move(chain, tip, request.canons[-3 * CANON_BYTES :] if request.first_assistant is not None else None)
        chain.exchange_id, chain.closed = exchange_id, False
        return chain

    def answer(self, chain: Chain, exchange_id: int, scope: bytes, canons: bytes, answer: bytes) -> bytes:
        """Remember the answer to a chain's request; the hash of the new tip. A chain that has moved on stays."""
        canons += answer
        tip = self.prefix(scope, canons, len(canons) // CANON_BYTES)
        session = self._sessions.get(chain.session_id)
        if session is not None:
            self._add_prefix(chain.session_id, session, tip)
            if chain.exchange_id == exchange_id:
                self._move(chain, tip, canons[-3 * CANON_BYTES :])
                chain.closed = True
        return tip

    def restore(self, session_id: int, exchange_id: int, received: bytes | None, tip: bytes | None) -> None:
        """Remember from the log what an exchange of before this start left: the hashes of its list and of its tip."""
        session = self._session(session_id)
        for known in (received, tip):
            if known is not None:
                self._add_prefix(session_id, session, known)
        end = tip or received
        if end is None:
            return
        chain = next((each for each in session.chains if each.exchange_id == exchange_id), None)
        if chain is None:
            chain = Chain(session_id, exchange_id, end)
            session.chains.append(chain)
            if len(session.chains) > _CHAINS_PER_SESSION:
                self._forget_chain(session.chains.pop(0))
        self._move(chain, end, None)
        chain.closed = tip is not None

    def forget(self, session_id: int) -> None:
        """Drop what is known of a session (deleted, or not used for long)."""
        session = self._sessions.pop(session_id, None)
        if session is None:
            return
        for chain in session.chains:
            self._forget_chain(chain)
        for prefix in session.prefixes:
            left = tuple(number for number in self._prefixes.get(prefix, ()) if number != session_id)
            if left:
                self._prefixes[prefix] = left
            else:
                self._prefixes.pop(prefix, None)

    def _repeated(self, whole: bytes, *, retry: bool) -> Match | None:
        """The same list as a line's last one: sent again because it failed, or by a client's own retry."""
        for chain in reversed(self._tips.get(whole, [])):
            if not chain.closed:
                return Match(chain.session_id, chain, "retry")
        known = self._prefixes.get(whole) if retry else None
        return Match(known[-1], None, "retry") if known else None

    def _continued(self, known: bytes) -> Match:
        tips = self._tips.get(known)
        if tips:
            return Match(tips[-1].session_id, tips[-1])
        return Match(self._prefixes[known][-1], None, "fork")

    def _compacted(self, scope: bytes, request: RequestFacts) -> Match | None:
        width = 3 * CANON_BYTES
        for at in range(len(request.canons) - width, -1, -CANON_BYTES):
            chains = self._trails.get(self._hash(scope + b"trail" + request.canons[at : at + width]))
            if chains:
                return Match(chains[-1].session_id, chains[-1], "client_compaction")
        return None
