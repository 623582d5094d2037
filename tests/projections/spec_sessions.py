"""Sessions as versions."""

from projections.sessions import SESSIONS
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    MessagePinned,
    MessageUnpinned,
    TokensReserved,
)
from schema.sessions import SessionDeleted, SessionRenamed
from schema.workspace import SessionActivated
from tests.projections.building import START_MS, compacted, compressed, session, undone
from tests.projections.spec import Spec

_VERSIONS = "SELECT session_id, from_position, to_position, name, deleted FROM session_versions ORDER BY 1, 2"

SPECS = (
    Spec(
        title="a session begins with all that its start says, but no keys",
        projection=SESSIONS,
        given=(
            session(
                5,
                "Refactor",
                origin="header",
                rule="header:x-session-id",
                parent_id=2,
                client_family="cline",
                key_hash="never",
                scope="never",
            ),
        ),
        select="SELECT * FROM session_versions",
        rows=[
            (
                *(5, 1, None, 1, START_MS + 1000, "Refactor", "refactor", "demo", "demo/echo"),
                *("header", "header:x-session-id", 2, "cline", 0, None, None),
            )
        ],
    ),
    Spec(
        title="every decision about a context is one about its session",
        projection=SESSIONS,
        given=(
            session(1),
            compacted(1),
            compressed(2),
            undone(2, kind="compression"),
            TokensReserved(session_id=1, from_=0, to=1),
            AutoCompactionDisabled(session_id=1),
            AutoCompactionEnabled(session_id=1),
            MessagePinned(session_id=1, ref="m"),
            MessageUnpinned(session_id=1, ref="m"),
        ),
        select="SELECT from_position, to_position FROM session_versions ORDER BY 1",
        rows=[(position, position + 1) for position in range(1, 9)] + [(9, None)],
    ),
    Spec(
        title="a new name is a new version",
        projection=SESSIONS,
        given=(session(1, "old"), session(2, "other"), SessionRenamed(session_id=1, from_="old", to="new")),
        select=_VERSIONS,
        rows=[(1, 1, 3, "old", 0), (1, 3, None, "new", 0), (2, 2, None, "other", 0)],
    ),
    Spec(
        title="an activation is a decision about the session",
        projection=SESSIONS,
        given=(session(1, "a"), SessionActivated(session_id=1)),
        select=_VERSIONS,
        rows=[(1, 1, 2, "a", 0), (1, 2, None, "a", 0)],
    ),
    Spec(
        title="a deleted session keeps its rows",
        projection=SESSIONS,
        given=(session(1, "a"), SessionDeleted(session_id=1, reason="tidy")),
        select=_VERSIONS,
        rows=[(1, 1, 2, "a", 0), (1, 2, None, "a", 1)],
    ),
    Spec(
        title="the number of listed sessions is kept",
        projection=SESSIONS,
        given=(session(1), session(2), SessionRenamed(session_id=1, from_="a", to="b"), SessionDeleted(session_id=2)),
        select="SELECT * FROM session_counts",
        rows=[(1, 1), (2, 2), (4, 1)],
    ),
)
