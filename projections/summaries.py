"""What each event says in one short line, and the words it is found by. Never message contents."""

from collections.abc import Mapping

import msgspec

from projections.saying import Summary
from projections.summaries_contexts import CONTEXTS
from projections.summaries_exchanges import EXCHANGES
from projections.summaries_gateway import GATEWAY
from projections.summaries_memories import MEMORIES
from projections.summaries_sessions import SESSIONS
from schema.catalogue import REGISTRY
from schema.compaction import CompressionFailed, MessagePinned, MessageUnpinned
from schema.exchanges import ExchangeFailed
from schema.gateway import McpCallFailed
from schema.moving import ExchangeReassigned
from schema.registry import Event
from schema.server_state import ContextStored, ContextUpdated, ThoughtRecorded
from schema.sessions import SessionRenamed, SessionStarted


def without_sealed(event: Event) -> Event:
    """As it reads once its session's key is destroyed."""
    return msgspec.structs.replace(event, **{name: None for name, _ in REGISTRY.of(event).sealed})


SUMMARIES: Mapping[type[Event], Summary] = {**SESSIONS, **CONTEXTS, **EXCHANGES, **MEMORIES, **GATEWAY}
SEALED_WORDS = frozenset(
    (
        SessionStarted,
        SessionRenamed,
        ExchangeFailed,
        ExchangeReassigned,
        CompressionFailed,
        MessagePinned,
        MessageUnpinned,
        McpCallFailed,
        ThoughtRecorded,
        ContextStored,
        ContextUpdated,
    )
)  # whose words hold sealed fields
