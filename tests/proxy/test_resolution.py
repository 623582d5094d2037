import hashlib

from commands.workspace import LiveSession, Workspace
from proxy.chains import ChainIndex
from proxy.facts import RequestFacts
from proxy.resolution import Found, New, Resolver, Scope
from proxy.signals import Signal
from schema.unreadable import Unreadable
from tests.proxy.conversations import assistant, cache, facts, user

OWN = "header:x-session-id"


class House:
    """A resolver over a workspace that tests change by hand."""

    def __init__(self) -> None:
        self.state = Workspace()
        self.facts = cache()
        self.index = ChainIndex(lambda data: hashlib.md5(data, usedforsecurity=False).digest())
        self.resolver = Resolver(b"secret", self.index, lambda: self.state)
        self.one = facts(user("one"), of=self.facts)

    def resolve(
        self,
        signal: Signal | None,
        credential: str | None = "key",
        family: str = "cli",
        request: RequestFacts | None = None,
    ) -> Found | New:
        return self.resolver.resolve(signal, self.scope(credential, family), request or self.one, retry=False)

    def scope(self, credential: str | None = "key", family: str = "cli") -> Scope:
        return self.resolver.scope(credential, family)

    def start(self, number: int, found: Found | New, credential: str | None = "key", parent: int | None = None) -> None:
        key_hash = found.key_hash if isinstance(found, New) else None
        session = LiveSession("name", None, parent, key_hash, self.scope(credential).credential)
        self.state.sessions[number] = session
        self.resolver.started(number, session)


def found(result: Found | New) -> Found:
    assert isinstance(result, Found)
    return result


def new(result: Found | New) -> New:
    assert isinstance(result, New)
    return result


def test_a_client_key_starts_a_session_once() -> None:
    house = House()
    signal = Signal(OWN, "abc")
    first = new(house.resolve(signal))
    assert (first.resolution.rule, first.origin) == (OWN, "header")
    house.start(3, first)
    assert found(house.resolve(signal)).match.session_id == 3


def test_a_key_is_of_its_credential_and_family_only() -> None:
    house = House()
    signal = Signal("header:task", "abc")
    house.start(1, house.resolve(signal))
    assert isinstance(house.resolve(signal, credential="other"), New)
    assert isinstance(house.resolve(signal, family="other"), New)
    assert isinstance(house.resolve(signal, credential=None), New)


def test_header_rules_work_with_auto_session_off() -> None:
    house = House()
    house.state.auto_session = False
    assert new(house.resolve(Signal("body", "k"))).origin == "header"


def test_a_decimal_key_is_the_id_of_a_session_of_the_same_credential_or_nobodys() -> None:
    house = House()
    house.start(7, house.resolve(None))
    house.state.sessions[8] = LiveSession("made by hand")
    assert found(house.resolve(Signal(OWN, "7"))).match.session_id == 7
    assert found(house.resolve(Signal(OWN, "8"), credential="other")).match.session_id == 8
    assert isinstance(house.resolve(Signal(OWN, "7"), credential="other"), New)
    assert isinstance(house.resolve(Signal(OWN, "99")), New)
    assert isinstance(house.resolve(Signal(OWN, "007")), New)
    assert isinstance(house.resolve(Signal("header:task", "7")), New)
    assert isinstance(house.resolve(Signal(OWN, "9" * 200)), New)


def test_a_child_names_its_parent_when_that_is_known() -> None:
    house = House()
    house.start(1, house.resolve(Signal("header:session-id", "s")))
    child = new(house.resolve(Signal("header:session-id", "s/t", "s")))
    assert child.resolution.parent_id == 1
    assert new(house.resolve(Signal("header:session-id", "x/t", "x"))).resolution.parent_id is None
    house.start(2, child, parent=1)
    assert found(house.resolve(Signal("header:session-id", "s/t", "s"))).resolution.parent_id == 1


def test_a_deleted_session_is_not_found_again() -> None:
    house = House()
    signal = Signal("header:task", "abc")
    house.start(1, house.resolve(signal))
    del house.state.sessions[1]
    assert isinstance(house.resolve(signal), New)


def test_chains_skip_deleted_sessions() -> None:
    house = House()
    match = found_match = None
    house.start(1, house.resolve(None))
    scope = house.scope().chains
    later = facts(user("one"), assistant("a"), user("two"), of=house.facts)
    request = found_match = house.index.find_in(1, scope, house.one, retry=False)
    chain = house.index.begin(request, 1, scope, house.one)
    house.index.finish(chain, 1, scope, house.one.canons, house.facts.of(assistant("a")).canon, completed=True)
    match = found(house.resolve(None, request=later)).match
    assert match.session_id == found_match.session_id == 1
    assert found(house.resolve(None, request=later)).resolution.rule == "hash_chain"
    del house.state.sessions[1]
    assert isinstance(house.resolve(None, request=later), New)


def test_without_a_signal_the_switch_decides() -> None:
    house = House()
    assert new(house.resolve(None)).resolution.rule == "auto_new"
    house.state.auto_session = False
    created = new(house.resolve(None))
    assert (created.resolution.rule, created.activate) == ("created_no_active", True)
    house.start(4, created)
    house.state.active_id = 4
    fallback = found(house.resolve(None))
    assert (fallback.match.session_id, fallback.resolution.rule) == (4, "active_fallback")


def test_keys_are_known_again_after_a_restart() -> None:
    house = House()
    signal = Signal("header:task", "abc")
    house.start(1, house.resolve(signal))
    again = Resolver(b"secret", house.index, lambda: house.state)
    result = again.resolve(signal, again.scope("key", "cli"), house.one, retry=False)
    assert found(result).match.session_id == 1


def test_no_credential_is_stored() -> None:
    house = House()
    assert house.scope(None).credential is None
    hashed = house.scope("sk-secret").credential
    assert hashed is not None and "secret" not in hashed and len(hashed) == 32


def test_no_request_belongs_to_a_session_that_cannot_be_read() -> None:
    house = House()
    signal = Signal(OWN, "abc")
    house.start(1, house.resolve(signal))
    house.resolver.unreadable(1)
    second = new(house.resolve(signal))
    assert isinstance(house.resolve(Signal(OWN, "1")), New)
    house.start(2, second)
    assert found(house.resolve(signal)).match.session_id == 2


def test_nor_does_a_conversation_or_what_nobody_knows() -> None:
    house = House()
    house.start(1, house.resolve(None))
    scope = house.scope().chains
    chain = house.index.begin(house.index.find_in(1, scope, house.one, retry=False), 1, scope, house.one)
    house.index.finish(chain, 1, scope, house.one.canons, house.facts.of(assistant("x")).canon, completed=True)
    longer = facts(user("one"), assistant("x"), user("two"), of=house.facts)
    assert found(house.resolve(None, request=longer)).match.session_id == 1
    event = Unreadable(position=3, type="FutureEvent", session_id=1, reason="this program does not know FutureEvent")
    house.state.unreadable[1] = event
    assert isinstance(house.resolve(None, request=longer), New)
    house.state.active_id, house.state.auto_session = 1, False
    assert new(house.resolve(None)).activate
