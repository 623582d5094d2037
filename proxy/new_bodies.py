"""What of a request has to be stored: each body once for a session."""

from proxy.facts import FactsCache, RequestFacts
from proxy.memory import REF_BYTES, SessionMemory
from proxy.running import Incoming
from schema.exchanges import MessageRefs
from schema.recorded import Body


def new_messages(incoming: Incoming, facts: RequestFacts, memory: SessionMemory, received: MessageRefs) -> list[Body]:
    """Those of a request that the log does not hold yet; from now on they count as held."""
    if facts.bodies is not None:
        return [body for ref, body in facts.bodies.items() if memory.store(ref)]
    bodies: list[Body] = []
    for index in range(received.keep, facts.count):
        ref = facts.refs[index * REF_BYTES : (index + 1) * REF_BYTES]
        if memory.store(ref):
            bodies.append(Body(ref.hex(), bytes(incoming.request.messages[index])))
    return bodies


def envelope_of(envelope: bytes, facts: FactsCache, memory: SessionMemory, bodies: list[Body]) -> str:
    """The ref of an envelope, which goes to `bodies` where the log does not hold it yet."""
    key = facts.text_ref(envelope)
    ref = key.hex()
    if memory.store(key):
        bodies.append(Body(ref, envelope))
    return ref
