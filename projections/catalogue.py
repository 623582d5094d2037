"""All projections, in the order in which they are applied. A name, once given, is never reused for another."""

from projections.compaction import COMPACTION
from projections.exchanges import EXCHANGES
from projections.gateway import GATEWAY
from projections.ledgers import LEDGERS
from projections.masks import MASKS
from projections.memories import MEMORIES
from projections.pins import PINS
from projections.server_state import SERVER_STATE
from projections.session_stats import SESSION_STATS
from projections.sessions import SESSIONS
from projections.timeline import TIMELINE
from projections.unreadable import UNREADABLE
from projections.workspace import WORKSPACE

PROJECTIONS = (
    WORKSPACE,
    SESSIONS,
    EXCHANGES,
    SESSION_STATS,
    MASKS,
    COMPACTION,
    PINS,
    GATEWAY,
    LEDGERS,
    MEMORIES,
    SERVER_STATE,
    TIMELINE,
    UNREADABLE,
)
