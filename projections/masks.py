"""What was masked or shortened, by the hash of the original text, and which messages stand for which."""

import sqlite3
from typing import Any

import msgspec

from projections.declaration import Projection, on
from projections.paging import Page
from projections.sessions import erased_sql, family
from schema.compaction import CompactionPerformed, CompressionPerformed, LeftOut, PrefixDecision
from schema.context import ContentMasked, ContentRetrieved, OutputsMasked, ReplacedOutput, Stage
from schema.erasure import SessionErased
from schema.forking import SessionForked
from schema.recorded import Recorded

TABLES = (
    "CREATE TABLE masks("
    "position INTEGER NOT NULL, number INTEGER NOT NULL, session_id INTEGER NOT NULL, hash TEXT NOT NULL,"
    " ref TEXT NOT NULL, tool TEXT NOT NULL, tokens INTEGER NOT NULL, created_at INTEGER NOT NULL, preview TEXT,"
    " carried INTEGER NOT NULL,"
    " PRIMARY KEY(position, number), UNIQUE(session_id, hash)) STRICT, WITHOUT ROWID",
    "CREATE INDEX masks_of_hash ON masks(hash, position)",
    "CREATE TABLE replacements("
    "session_id INTEGER NOT NULL, replacement_ref TEXT NOT NULL, position INTEGER NOT NULL, ref TEXT NOT NULL,"
    " hash TEXT NOT NULL, stage TEXT NOT NULL, tokens_before INTEGER NOT NULL, tokens_after INTEGER NOT NULL,"
    " PRIMARY KEY(session_id, replacement_ref)) STRICT, WITHOUT ROWID",
    "CREATE TABLE mask_retrievals("
    "position INTEGER PRIMARY KEY, session_id INTEGER NOT NULL, hash TEXT NOT NULL) STRICT",
    "CREATE INDEX mask_retrievals_of_hash ON mask_retrievals(session_id, hash, position)",
)
_DAY_MS = 86_400_000
_SHOWN = (
    "m.hash, m.ref, m.session_id, m.tool, m.tokens, m.created_at, m.preview, m.position,"
    " (SELECT count(*) FROM mask_retrievals r WHERE r.session_id = m.session_id AND r.hash = m.hash"
    f" AND r.position <= :at), {erased_sql('m.session_id')}"
)


class MaskRow(msgspec.Struct, frozen=True, array_like=True):
    """`hash` is the sha256 of the text, `ref` that of its message; `created_at` in ms since the epoch.
    `preview` is None once the session was `erased`."""

    hash: str
    ref: str
    session_id: int
    tool: str
    tokens: int
    created_at: int
    preview: str | None
    position: int
    retrievals: int
    erased: int


class MaskStats(msgspec.Struct, frozen=True):
    total: int
    tokens: int
    recent: int


class ReplacementRow(msgspec.Struct, frozen=True, array_like=True):
    """What a message that went upstream stands for."""

    replacement_ref: str
    ref: str
    hash: str
    stage: Stage
    tokens_before: int
    tokens_after: int


def list_masks(db: sqlite3.Connection, *, at: int, session_id: int | None, limit: int, offset: int) -> Page[MaskRow]:
    """Newest first."""
    where = "m.position <= :at"
    if session_id is None:
        where += " AND NOT m.carried"  # what a fork took with it is listed once, where it was masked
    else:
        where += f" AND m.session_id IN ({', '.join(map(str, family(db, session_id, at=at)))})"
    values = {"at": at, "limit": limit, "offset": offset}
    rows = db.execute(
        f"SELECT {_SHOWN} FROM masks m WHERE {where} ORDER BY m.position DESC, m.number DESC"
        " LIMIT :limit OFFSET :offset",
        values,
    )
    found = [MaskRow(*row) for row in rows]
    (total,) = db.execute(f"SELECT count(*) FROM masks m WHERE {where}", values).fetchone()
    return Page(found, total)


def find_masks(db: sqlite3.Connection, prefix: str, session_id: int | None = None, *, at: int) -> list[MaskRow]:
    """Those whose hash begins so, at most one for each text and session: of the session and its parts first, what was
    erased last, else the newest first."""
    own = family(db, session_id, at=at) if session_id is not None else ()
    rows = db.execute(
        f"SELECT {_SHOWN} FROM masks m WHERE m.hash >= :low AND m.hash < :high AND m.position <= :at"
        f" ORDER BY m.session_id IN ({', '.join(map(str, own))}) DESC, m.preview IS NULL, m.position DESC LIMIT 100",
        {"low": prefix, "high": prefix + "g", "at": at},
    )
    return [MaskRow(*row) for row in rows]


def mask_stats(db: sqlite3.Connection, now_ms: int, *, at: int) -> MaskStats:
    row = db.execute(
        "SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(created_at > ?), 0) FROM masks"
        " WHERE position <= ? AND NOT carried",
        (now_ms - _DAY_MS, at),
    ).fetchone()
    return MaskStats(*row)


def replacements(db: sqlite3.Connection, session_id: int, *, at: int) -> dict[str, ReplacementRow]:
    """All of a session, by the ref of what went upstream."""
    rows = db.execute(
        "SELECT replacement_ref, ref, hash, stage, tokens_before, tokens_after FROM replacements"
        f" WHERE session_id IN ({', '.join(map(str, family(db, session_id, at=at)))}) AND position <= ?",
        (at,),
    )
    return {row[0]: ReplacementRow(*row) for row in rows}


def _content_masked(db: sqlite3.Connection, recorded: Recorded, event: ContentMasked) -> None:
    _insert(db, recorded, event.session_id, 0, event.stage, event.output, event.preview)


def _outputs_masked(db: sqlite3.Connection, recorded: Recorded, event: OutputsMasked) -> None:
    previews: list[Any] = msgspec.json.decode(event.previews) if event.previews else []
    for number, output in enumerate(event.outputs):
        preview = previews[number] if number < len(previews) else None
        _insert(db, recorded, event.session_id, number, "mask", output, preview)


def _left_out(db: sqlite3.Connection, recorded: Recorded, event: PrefixDecision) -> None:
    """What a digest names can be had back like what a mask names."""
    previews: list[Any] = msgspec.json.decode(event.previews) if event.previews else []
    for number, output in enumerate(event.outputs):
        preview = previews[number] if number < len(previews) else None
        _insert_mask(db, recorded, event.session_id, number, output, preview)


def _insert(
    db: sqlite3.Connection,
    recorded: Recorded,
    session_id: int,
    number: int,
    stage: Stage,
    output: ReplacedOutput,
    preview: str | None,
) -> None:
    whole = LeftOut(output.hash, output.ref, output.tool, output.tokens_before)
    _insert_mask(db, recorded, session_id, number, whole, preview)
    _insert_replacement(db, recorded, session_id, stage, output)


def _insert_replacement(
    db: sqlite3.Connection, recorded: Recorded, session_id: int, stage: Stage, output: ReplacedOutput
) -> None:
    db.execute(
        "INSERT OR IGNORE INTO replacements VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session_id,
            output.replacement_ref,
            recorded.position,
            output.ref,
            output.hash,
            stage,
            output.tokens_before,
            output.tokens_after,
        ),
    )


def _insert_mask(
    db: sqlite3.Connection,
    recorded: Recorded,
    session_id: int,
    number: int,
    output: LeftOut,
    preview: str | None,
    *,
    carried: bool = False,
) -> None:
    db.execute(
        "INSERT OR IGNORE INTO masks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            recorded.position,
            number,
            session_id,
            output.hash,
            output.ref,
            output.tool,
            output.tokens,
            recorded.timestamp,
            preview,
            carried,
        ),
    )


def _forked(db: sqlite3.Connection, recorded: Recorded, event: SessionForked) -> None:
    """What was masked in the session that it goes on from can be had back here too."""
    previews: list[Any] = msgspec.json.decode(event.previews) if event.previews else []
    for number, output in enumerate(event.masks):
        preview = previews[number] if number < len(previews) else None
        _insert_mask(db, recorded, event.session_id, number, output, preview, carried=True)
    for carried in event.replaced:
        _insert_replacement(db, recorded, event.session_id, carried.stage, carried.output)


def _retrieved(db: sqlite3.Connection, recorded: Recorded, event: ContentRetrieved) -> None:
    db.execute("INSERT INTO mask_retrievals VALUES (?, ?, ?)", (recorded.position, event.session_id, event.hash))


def _erased(db: sqlite3.Connection, recorded: Recorded, event: SessionErased) -> None:
    db.execute("UPDATE masks SET preview = NULL WHERE session_id = ?", (event.session_id,))


MASKS = Projection(
    name="masks",
    version=4,
    tables=TABLES,
    handles=dict(
        (
            on(ContentMasked, _content_masked),
            on(OutputsMasked, _outputs_masked),
            on(CompactionPerformed, _left_out),
            on(CompressionPerformed, _left_out),
            on(ContentRetrieved, _retrieved),
            on(SessionForked, _forked),
            on(SessionErased, _erased),
        )
    ),
)
