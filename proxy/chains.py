"""Which session a list of messages continues, from the messages alone (contract 3.3.2, rule hash_chain).

A conversation is known by hashes of its prefixes: every whole list that was received, every tip (such a list and our
answer to it), and every depth after a point that was recognised. Other depths of a first request are left out, because
strangers share system prompts and worked examples. Depth 1 is known only as a whole list, for retries.

A session holds chains (main thread, sub-agents, forks); each has a tip. Two conversations may begin alike: the one
whose tip is just here is continued, the latest first, and the other is what remains for the other.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from proxy.facts import CANON_BYTES, RequestFacts

_TRAIL = 3 * CANON_BYTES
_CHAINS_PER_SESSION = 16
_PREFIXES_PER_SESSION = 20_000
_SESSIONS = 2_000
_DEPTHS_AT_ONCE = 1_000  # of a request that is longer by more messages not every depth is learned:
_HASHED_AT_ONCE = 32 << 20  # bytes
_LATEST_BYTES = 20_000 * CANON_BYTES  # in which what a client kept of a conversation is looked for

Branch = Literal["fork", "client_compaction", "retry"]
Progress = Literal["running", "answered", "unanswered"]
Hash = Callable[[bytes], bytes]


class Chain(msgspec.Struct, eq=False):
    """One line of conversation; `exchange_id` is its last exchange, `trail` the last three messages of its tip."""

    session_id: int
    exchange_id: int
    tip: bytes
    trail: bytes | None = None
    progress: Progress = "running"


class Match(msgspec.Struct, frozen=True):
    """`chain` is the line that is continued, None for a new line; `depth` messages of the request were recognised."""

    session_id: int
    chain: Chain | None = None
    branch: Branch | None = None
    depth: int = 0


_Places = dict[bytes, dict[Chain, None]]  # the chains at a hash, in the order of arrival


class _Session(msgspec.Struct):
    """`depths` are the lengths of the known prefixes: only those of a request are hashed and looked up."""

    prefixes: set[bytes] = msgspec.field(default_factory=set)
    depths: set[int] = msgspec.field(default_factory=set)
    chains: list[Chain] = msgspec.field(default_factory=list)


class ChainIndex:
    """All known prefixes, tips and trails of the latest 2,000 sessions."""

    def __init__(self, hash_: Hash) -> None:
        self._hash = hash_
        self._sessions: OrderedDict[int, _Session] = OrderedDict()
        self._depths: set[int] = set()
        self._prefixes: dict[bytes, tuple[int, ...]] = {}
        self._tips: _Places = {}
        self._trails: _Places = {}

    def prefix(self, scope: bytes, canons: bytes, count: int) -> bytes:
        """The hash of the first `count` messages within a scope (credential and client family)."""
        return self._hash(scope + canons[: count * CANON_BYTES])

    def find(self, scope: bytes, request: RequestFacts, *, retry: bool) -> Match | None:
        """The session that the request continues, over all sessions of the scope."""
        whole = self.prefix(scope, request.canons, request.count)
        again = self._repeated(self._tips.get(whole, {}), request.count, retry=retry)
        if again is not None or request.first_assistant is None:
            return again
        fork: Match | None = None
        for count in range(request.count, max(1, request.first_assistant), -1):
            if count not in self._depths:
                continue
            known = whole if count == request.count else self.prefix(scope, request.canons, count)
            tips = self._tips.get(known)
            latest = next(reversed(tips)) if tips else None
            if latest is not None and (fork is None or latest.exchange_id > self._latest(fork.session_id)):
                return Match(latest.session_id, latest, None, count)
            if fork is None and known in self._prefixes:
                fork = Match(self._prefixes[known][-1], None, "fork", count)
        if fork is not None:
            return fork
        return self._compacted(scope, request)

    def find_in(self, session_id: int, scope: bytes, request: RequestFacts, *, retry: bool) -> Match:
        """Which line of a session that is already known the request continues."""
        session = self._sessions.get(session_id)
        if session is None:
            return Match(session_id)
        for count in range(request.count, 0, -1):
            if count not in session.depths:
                continue
            known = self.prefix(scope, request.canons, count)
            tips = _of_session(self._tips.get(known), session_id)
            if count == request.count:
                again = self._repeated(tips, count, retry=retry)
                if again is not None:
                    return again
            if tips:
                return Match(session_id, next(reversed(tips)), None, count)
            if known in session.prefixes:
                return Match(session_id, None, "fork", count)
        return (self._compacted(scope, request, session_id) if self._trails else None) or Match(session_id)

    def begin(self, match: Match, exchange_id: int, scope: bytes, request: RequestFacts) -> Chain:
        """Remember a request that starts; the chain that it is now the tip of."""
        session = self._session(match.session_id)
        tip = self.prefix(scope, request.canons, request.count)
        if request.count not in session.depths:
            self._note_depth(session, request.count)
        first = match.depth + 1
        if request.count - first > _DEPTHS_AT_ONCE:
            first = max(first, request.count - _HASHED_AT_ONCE // len(request.canons))
        for depth in range(first, request.count) if match.depth else ():
            if depth > 1:
                self._learn(match.session_id, session, self.prefix(scope, request.canons, depth), depth)
        if request.count > 1:
            self._learn(match.session_id, session, tip, request.count)
        chain = match.chain
        if chain is None or chain not in session.chains:
            chain = self._new_chain(session, match.session_id, exchange_id)
        self._move(chain, tip, self._trail(scope, request.canons, request.first_assistant))
        chain.exchange_id, chain.progress = exchange_id, "running"
        return chain

    def finish(
        self, chain: Chain, exchange_id: int, scope: bytes, canons: bytes, answer: bytes | None, *, completed: bool
    ) -> bytes | None:
        """Remember how a chain's request ended; the hash of the new tip, None without an answer.

        A chain that has moved on meanwhile keeps its later tip.
        """
        current = chain.exchange_id == exchange_id
        if current:
            chain.progress = "answered" if completed else "unanswered"
        if answer is None:
            return None
        canons += answer
        depth = len(canons) // CANON_BYTES
        tip = self.prefix(scope, canons, depth)
        session = self._sessions.get(chain.session_id)
        if session is not None:
            self._learn(chain.session_id, session, tip, depth)
            if current and completed:
                self._move(chain, tip, self._trail(scope, canons, 0))
        return tip

    def restore(
        self, session_id: int, exchange_id: int, received: bytes | None, tip: bytes | None, *, count: int
    ) -> None:
        """Remember from the log what an exchange of an earlier run left: the hash of the list that was received, of
        `count` messages, or that of its tip."""
        end = tip or received
        if end is None:
            return
        session = self._session(session_id)
        self._learn(session_id, session, end, count + 1 if tip is not None else count)
        chain = next((each for each in session.chains if each.exchange_id == exchange_id), None)
        if chain is None and received is not None:
            chain = self._new_chain(session, session_id, exchange_id)
        if chain is not None:
            self._move(chain, end, None)
            chain.progress = "answered" if tip is not None else "unanswered"

    def continue_chain(self, session_id: int, base_exchange_id: int, exchange_id: int) -> None:
        """From the log: `exchange_id` continued the chain whose last exchange was `base_exchange_id`."""
        session = self._session(session_id)
        chain = next((each for each in session.chains if each.exchange_id == base_exchange_id), None)
        if chain is not None:
            chain.exchange_id = exchange_id

    def move(self, exchange_id: int, source_id: int, target_id: int) -> None:
        """An exchange belongs to another session: if it is the last of its line, the line goes on there."""
        source = self._sessions.get(source_id)
        chain = next((each for each in source.chains if each.exchange_id == exchange_id), None) if source else None
        if source is None or chain is None:
            return
        source.chains.remove(chain)
        target = self._session(target_id)
        chain.session_id = target_id
        target.chains.append(chain)
        target.prefixes.add(chain.tip)
        target.depths |= source.depths
        self._prefixes[chain.tip] = (*self._prefixes.get(chain.tip, ())[-3:], target_id)

    def move_all(self, source_id: int, target_id: int) -> None:
        """A session became a part of another one."""
        source = self._sessions.get(source_id)
        if source is None or source_id == target_id:
            return
        target = self._session(target_id)
        for chain in source.chains:
            chain.session_id = target_id
        target.chains += source.chains
        target.prefixes |= source.prefixes
        target.depths |= source.depths
        for prefix in source.prefixes:
            known = (target_id if number == source_id else number for number in self._prefixes.get(prefix, ()))
            self._prefixes[prefix] = tuple(dict.fromkeys(known))
        source.chains, source.prefixes = [], set()
        self._sessions.pop(source_id, None)

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

    def _latest(self, session_id: int) -> int:
        """The session's last exchange. A conversation may repeat an earlier one word for word: then the line that was
        used last goes on, although the other one knows a longer beginning."""
        session = self._sessions.get(session_id)
        return max((chain.exchange_id for chain in session.chains), default=0) if session else 0

    def _repeated(self, chains: dict[Chain, None], depth: int, *, retry: bool) -> Match | None:
        """The very list that a line ends with, without an answer: sent again because it failed, or by a client whose
        retry overtook the failure."""
        for chain in reversed(chains):
            if chain.progress == "unanswered" or (retry and chain.progress == "running"):
                return Match(chain.session_id, chain, "retry", depth)
        return None

    def _compacted(self, scope: bytes, request: RequestFacts, session_id: int | None = None) -> Match | None:
        canons = request.canons
        end = len(canons) - _TRAIL
        stop = -1 if end < _LATEST_BYTES else end - _LATEST_BYTES
        for at in range(end, stop, -CANON_BYTES):
            chains = self._trails.get(scope + canons[at : at + _TRAIL])
            if chains and session_id is not None:
                chains = _of_session(chains, session_id)
            if chains:
                latest = next(reversed(chains))
                return Match(latest.session_id, latest, "client_compaction", at // CANON_BYTES + 3)
        return None

    def _trail(self, scope: bytes, canons: bytes, first_assistant: int | None) -> bytes | None:
        if first_assistant is None or len(canons) < _TRAIL:
            return None
        return scope + canons[-_TRAIL:]

    def _session(self, session_id: int) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = _Session()
            while len(self._sessions) > _SESSIONS:
                self.forget(next(iter(self._sessions)))
        else:
            self._sessions.move_to_end(session_id)
        return session

    def _learn(self, session_id: int, session: _Session, prefix: bytes, depth: int) -> None:
        if prefix in session.prefixes or len(session.prefixes) >= _PREFIXES_PER_SESSION:
            return
        if depth not in session.depths:
            self._note_depth(session, depth)
        session.prefixes.add(prefix)
        self._prefixes[prefix] = (*self._prefixes.get(prefix, ())[-3:], session_id)  # the latest four

    def _note_depth(self, session: _Session, depth: int) -> None:
        session.depths.add(depth)
        self._depths.add(depth)

    def _new_chain(self, session: _Session, session_id: int, exchange_id: int) -> Chain:
        chain = Chain(session_id, exchange_id, b"")
        session.chains.append(chain)
        if len(session.chains) > _CHAINS_PER_SESSION:
            self._forget_chain(session.chains.pop(0))
        return chain

    def _move(self, chain: Chain, tip: bytes, trail: bytes | None) -> None:
        self._forget_chain(chain)
        chain.tip, chain.trail = tip, trail
        self._tips.setdefault(tip, {})[chain] = None
        if trail is not None:
            self._trails.setdefault(trail, {})[chain] = None

    def _forget_chain(self, chain: Chain) -> None:
        if chain.tip:
            _take_out(self._tips, chain.tip, chain)
        if chain.trail is not None:
            _take_out(self._trails, chain.trail, chain)


def _take_out(index: _Places, key: bytes, chain: Chain) -> None:
    chains = index.get(key)
    if chains is not None and chain in chains:
        if len(chains) == 1:
            del index[key]
        else:
            del chains[chain]


def _of_session(chains: dict[Chain, None] | None, session_id: int) -> dict[Chain, None]:
    return {chain: None for chain in chains if chain.session_id == session_id} if chains else {}
