"""Memories: rows, versions, totals."""

import msgspec

from projections.memories import MEMORIES
from projections.timeline import TIMELINE
from schema.erasure import ErasedCounts, SessionErased
from schema.memory import (
    MemoryDemoted,
    MemoryForgotten,
    MemoryPromoted,
    MemoryRecalled,
    MemoryRestored,
    MemoryStored,
)
from schema.moving import SessionsMerged
from schema.sessions import SessionDeleted
from tests.projections.building import START_MS
from tests.projections.spec import Spec


def stored(number: int, session_id: int = 1, tokens: int = 5) -> MemoryStored:
    return MemoryStored(
        session_id=session_id,
        memory_id=number,
        memory_type="episodic",
        content_ref=f"{number:064x}",
        hash=f"{number:016x}",
        tokens=tokens,
        preview="secret",
        metadata='{"title":"secret"}',
    )


RECALLED = MemoryRecalled(session_id=1, memory_ids=(1, 1, 9), cause="search")
PROMOTED = MemoryPromoted(session_id=1, memory_id=1, from_="episodic", to="frequent")
DEMOTED = MemoryDemoted(session_id=1, memory_id=1, from_="frequent", to="episodic")
FORGOTTEN = MemoryForgotten(session_id=1, memory_id=1, cause="cleanup", superseded_by=2)
_VERSIONS = (
    "SELECT memory_id, from_position, to_position, session_id, memory_type, access_count, gone FROM memory_versions"
    " ORDER BY memory_id, from_position"
)
_TOTALS = "SELECT session_id, position, total, frequent, episodic, tokens, accesses FROM memory_totals ORDER BY 1, 2"

SPECS = (
    Spec(
        title="what becomes of a memory is versions",
        projection=MEMORIES,
        given=(stored(1), RECALLED, PROMOTED, DEMOTED, FORGOTTEN, MemoryRestored(session_id=1, memory_id=1)),
        select=_VERSIONS,
        rows=[
            (1, 1, 2, 1, "episodic", 1, None),
            (1, 2, 3, 1, "episodic", 2, None),
            (1, 3, 4, 1, "frequent", 2, None),
            (1, 4, 5, 1, "episodic", 2, None),
            (1, 5, 6, 1, "episodic", 2, "cleanup"),
            (1, 6, None, 1, "episodic", 2, None),
        ],
    ),
    Spec(
        title="what a compression put there was of use before",
        projection=MEMORIES,
        given=(msgspec.structs.replace(stored(1), accesses=7), RECALLED),
        select="SELECT from_position, access_count FROM memory_versions ORDER BY 1",
        rows=[(1, 7), (2, 8)],
    ),
    Spec(
        title="it was used last when it was recalled, and what took its place is told while it is gone",
        projection=MEMORIES,
        given=(stored(1), RECALLED, FORGOTTEN),
        select="SELECT from_position, last_accessed_at, superseded_by FROM memory_versions ORDER BY 1",
        rows=[(1, START_MS + 1000, None), (2, START_MS + 2000, None), (3, START_MS + 2000, 2)],
    ),
    Spec(
        title="totals count what is there",
        projection=MEMORIES,
        given=(stored(1), RECALLED, PROMOTED, stored(2, 2, tokens=7), FORGOTTEN),
        select=_TOTALS,
        rows=[
            (0, 1, 1, 0, 1, 5, 1),
            (0, 2, 1, 0, 1, 5, 2),
            (0, 3, 1, 1, 0, 5, 2),
            (0, 4, 2, 1, 1, 12, 3),
            (0, 5, 1, 0, 1, 7, 1),
            (1, 1, 1, 0, 1, 5, 1),
            (1, 2, 1, 0, 1, 5, 2),
            (1, 3, 1, 1, 0, 5, 2),
            (1, 5, 0, 0, 0, 0, 0),
            (2, 4, 1, 0, 1, 7, 1),
        ],
    ),
    Spec(
        title="a merged session has the memories of its parts, a deleted one none",
        projection=MEMORIES,
        given=(
            stored(1),
            stored(2, 2),
            SessionsMerged(session_id=2, target_id=2, source_ids=(1,)),
            SessionDeleted(session_id=2),
        ),
        select=_VERSIONS,
        rows=[
            (1, 1, 3, 1, "episodic", 1, None),
            (1, 3, 4, 2, "episodic", 1, None),
            (1, 4, None, 2, "episodic", 1, "deleted"),
            (2, 2, 4, 2, "episodic", 1, None),
            (2, 4, None, 2, "episodic", 1, "deleted"),
        ],
    ),
    Spec(
        title="each has its line, without what was remembered",
        projection=TIMELINE,
        given=(stored(1), RECALLED, PROMOTED, DEMOTED, FORGOTTEN, MemoryRestored(session_id=1, memory_id=1)),
        select="SELECT summary FROM timeline ORDER BY position",
        rows=[
            ("memory 1 stored in session 1 (episodic, api): 5 tokens",),
            ("3 memories were recalled (search): 1, 1, 9",),
            ("memory 1 promoted from episodic to frequent",),
            ("promotion of memory 1 undone: episodic again",),
            ("memory 1 forgotten (cleanup), memory 2 takes its place",),
            ("memory 1 restored",),
        ],
    ),
    Spec(
        title="texts of an erased session are gone",
        projection=MEMORIES,
        given=(
            stored(1),
            stored(2, 2),
            FORGOTTEN,
            stored(3),
            SessionErased(session_id=1, key_id="k" * 64, erased_at=77, counts=ErasedCounts()),
        ),
        select="SELECT m.memory_id, m.preview, m.metadata, m.erased, v.gone FROM memories m JOIN memory_versions v"
        " USING (memory_id) WHERE v.to_position IS NULL ORDER BY 1",
        rows=[
            (1, None, None, 1, "cleanup"),
            (2, "secret", '{"title":"secret"}', 1, None),
            (3, None, None, 1, "erased"),
        ],
    ),
)
