"""Session resolution (contract 3.3.2): from a request's signals and messages to a session, or to the need of a new one.

Works on what is in memory: the workspace's living sessions, their key hashes, and the chain index.
"""

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from commands.workspace import LiveSession, Workspace, unreadable_of, whole
from proxy.chains import ChainIndex, Match
from proxy.facts import RequestFacts
from proxy.signals import Signal
from schema.exchanges import Resolution
from schema.sessions import Origin

_MAX_ID_DIGITS = 16
_CACHED_KEYS = 4_000


class Scope(msgspec.Struct, frozen=True):
    """Whose requests belong together: `credential` is a keyed hash (32 hex) or None, `chains` 16 bytes over credential
    and client family."""

    credential: str | None
    chains: bytes


class Found(msgspec.Struct, frozen=True):
    """The session that a request belongs to, and its line in it."""

    match: Match
    resolution: Resolution


class New(msgspec.Struct, frozen=True):
    """No session is known: start one. `activate` as in StartSession."""

    resolution: Resolution
    origin: Origin
    key_hash: str | None = None
    activate: bool = False


class Resolver:
    """Resolves in memory, without waiting; the caller starts a session for `New` before it resolves anything else."""

    def __init__(self, secret: bytes, chains: ChainIndex, workspace: Callable[[], Workspace]) -> None:
        self._secret = secret
        self._chains = chains
        self._workspace = workspace
        self._scopes: dict[tuple[str | None, str | None], Scope] = {}
        self._keys: dict[str, int] = {}
        self._key_hashes: dict[tuple[bytes, str], str] = {}
        self._unreadable: set[int] = set()
        for number, session in (*workspace().parts.items(), *workspace().sessions.items()):
            self.started(number, session)

    def scope(self, credential: str | None, family: str | None) -> Scope:
        known = self._scopes.get((credential, family))
        if known is None:
            if len(self._scopes) >= 1_000:
                self._scopes.clear()
            hashed = self._hmac(f"credential\0{credential}")[:32] if credential else None
            known = Scope(hashed, bytes.fromhex(self._hmac(f"scope\0{credential}\0{family}")[:32]))
            self._scopes[credential, family] = known
        return known

    def started(self, session_id: int, session: LiveSession) -> None:
        """A session with a client key is there: later requests with the key find it."""
        if session.key_hash is not None:
            self._keys[session.key_hash] = session_id

    def unreadable(self, session_id: int) -> None:
        """What its requests were sent as cannot be read: no request belongs to it any more."""
        self._unreadable.add(session_id)

    def resolve(self, signal: Signal | None, scope: Scope, request: RequestFacts, *, retry: bool) -> Found | New:
        if signal is not None:
            return self._by_signal(signal, scope, request, retry=retry)
        match = self._by_chain(scope, request, retry=retry)
        if match is not None:
            return Found(match, Resolution(rule="hash_chain", branch=match.branch))
        state = self._workspace()
        if state.auto_session:
            return New(Resolution(rule="auto_new"), "auto")
        if state.active_id is not None and self._living(state.active_id) == state.active_id:
            match = self._chains.find_in(state.active_id, scope.chains, request, retry=retry)
            return Found(match, Resolution(rule="active_fallback", branch=match.branch))
        return New(Resolution(rule="created_no_active"), "auto", activate=True)

    def _by_signal(self, signal: Signal, scope: Scope, request: RequestFacts, *, retry: bool) -> Found | New:
        key_hash = self._key_hash(scope, signal.key)
        session_id = self._own_session(signal, scope) or self._living(self._keys.get(key_hash))
        if session_id is None:
            parent = self._parent(signal, scope)
            return New(Resolution(rule=signal.rule, parent_id=parent), "header", key_hash)
        match = self._chains.find_in(session_id, scope.chains, request, retry=retry)
        parent = self._workspace().sessions[session_id].parent_id
        return Found(match, Resolution(rule=signal.rule, branch=match.branch, parent_id=parent))

    def _by_chain(self, scope: Scope, request: RequestFacts, *, retry: bool) -> Match | None:
        while (match := self._chains.find(scope.chains, request, retry=retry)) is not None:
            if self._living(match.session_id) is not None:
                return match
            self._chains.forget(match.session_id)  # deleted since, or not known as it is
        return None

    def _own_session(self, signal: Signal, scope: Scope) -> int | None:
        """The session that `X-Session-Id: <decimal id>` names, if it is this credential's or nobody's. An id is written
        without zeros in front."""
        key = signal.key
        if signal.rule != "header:x-session-id" or not key.isdecimal() or len(key) > _MAX_ID_DIGITS:
            return None
        if key.startswith("0"):
            return None
        state = self._workspace()
        number = whole(state, int(key))
        session = state.sessions.get(number)
        if session is None or session.scope not in (None, scope.credential):
            return None
        return self._living(number)

    def _parent(self, signal: Signal, scope: Scope) -> int | None:
        if signal.parent_key is None:
            return None
        return self._living(self._keys.get(self._key_hash(scope, signal.parent_key)))

    def _living(self, session_id: int | None) -> int | None:
        """Not one of which an event cannot be read: its conversations go on in a new one, where nothing is derived from
        what might have been changed by it."""
        state = self._workspace()
        number = whole(state, session_id) if session_id is not None else None
        known = number in state.sessions and unreadable_of(state, number) is None
        return number if known and number not in self._unreadable else None

    def _key_hash(self, scope: Scope, key: str) -> str:
        known = self._key_hashes.get((scope.chains, key))
        if known is None:
            if len(self._key_hashes) >= _CACHED_KEYS:
                self._key_hashes.clear()
            known = self._key_hashes[scope.chains, key] = self._hmac(f"key\0{scope.chains.hex()}\0{key}")[:32]
        return known

    def _hmac(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hex()
