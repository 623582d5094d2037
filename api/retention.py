"""Sessions that nobody has used for long are erased by themselves, where the configuration says so (section
[retention]). Each erasure is an event with its reason, like one that somebody asks for."""

import asyncio
import logging
import sqlite3

import msgspec

from api.configuration_sections import RetentionSection
from api.erasures import Erasures
from api.services import Services
from commands.erasure import ConfirmErasure, RequestErasure
from commands.errors import CommandError
from commands.workspace import family
from projections.waiting import ProjectionLagError
from schema.recorded import Metadata

_log = logging.getLogger("chronoproxy.retention")
_DAY_MS = 86_400_000
_AT_ONCE = 100


class Retention(msgspec.Struct, frozen=True):
    services: Services
    erasures: Erasures
    section: RetentionSection

    async def run(self) -> None:
        """Look now and then, until cancelled. What fails is told of and tried again the next time."""
        while self.section.erase_after_days:
            await asyncio.sleep(self.section.check_every_hours * 3_600)
            try:
                await self.once()
            except (CommandError, ProjectionLagError, sqlite3.Error, OSError) as error:
                _log.error("old sessions could not be erased: %s", error)

    async def once(self) -> int:
        """How many were erased. Raises CommandError, ProjectionLagError, sqlite3.Error and OSError."""
        services, erased = self.services, 0
        before = services.clock() - int(self.section.erase_after_days * _DAY_MS)
        for session_id in (await services.reads.run(_unused, before)).value:
            state = services.handler.state
            if session_id == state.active_id or session_id in services.running() or session_id in state.erased:
                continue
            parts = family(state, session_id)
            reason = f"unused for {self.section.erase_after_days:g} days"
            counts = await self.erasures.counts(parts)
            by = Metadata(actor="system", by="retention")
            await services.handler.execute(RequestErasure(session_id, counts, reason, services.running()), by)
            key_id = await self.erasures.destroy(parts)
            outcome = await services.handler.execute(ConfirmErasure(session_id, key_id, services.clock()), by)
            await services.waiter.until(outcome.position)
            erased += 1
        if erased:
            await self.erasures.clean()
            _log.info("%d sessions erased that were not used for %g days", erased, self.section.erase_after_days)
        return erased


def _unused(db: sqlite3.Connection, before: int, *, at: int) -> list[int]:
    """Sessions whose last event is older, oldest first; parts of others go with these."""
    rows = db.execute(
        "SELECT v.session_id FROM session_versions v WHERE v.to_position IS NULL AND v.erased_at IS NULL"
        " AND v.merged_into IS NULL AND (SELECT t.timestamp FROM timeline t WHERE t.session_id = v.session_id"
        " ORDER BY t.position DESC LIMIT 1) < ? ORDER BY v.session_id LIMIT ?",
        (before, _AT_ONCE),
    )
    return [int(row[0]) for row in rows]
