"""The parts that read ledgers and watch logs, made."""

from collections.abc import Callable
from pathlib import Path

from api.background import Background
from api.configuration import Configuration
from api.ledger_desk import LedgerDesk
from api.ledger_polling import LedgerPolling
from api.live_hub import Hub
from api.log_watcher import LogWatcher
from api.times import now_ms
from commands.handling import CommandHandler
from ledgers.catalogue import CLINE, CLINE_SESSIONS
from ledgers.places import Machine, shelf
from projections.store import ReadPool
from projections.waiting import Waiter
from proxy.providers import Catalogue
from schema.ledgers import Tool


def ledger_desk(configuration: Configuration, handler: CommandHandler, reads: ReadPool, waiter: Waiter) -> LedgerDesk:
    """The built-in places and those that the configuration names."""
    machine = Machine.own()
    named = [(CLINE_SESSIONS if text.endswith(".db") else CLINE, text) for text in configuration.cline.ledgers]
    more = [(kind, path) for kind, _, path in (text.partition(":") for text in configuration.ledgers.paths)]
    places = shelf(machine, [*((kind.name, text) for kind, text in named), *more])
    return LedgerDesk(places, machine, handler, reads, waiter)


def log_watcher(configuration: Configuration, handler: CommandHandler, catalogue: Catalogue, hub: Hub) -> LogWatcher:
    path = Path(configuration.recording.log_watcher_path).expanduser()
    return LogWatcher(path, hub, _active(configuration, handler, catalogue), now_ms)


def start_watching(configuration: Configuration, desk: LedgerDesk, watcher: LogWatcher, background: Background) -> None:
    """What the configuration switches on: nothing of it by default."""
    tools = tuple(dict.fromkeys((*_cline(configuration), *configuration.ledgers.poll)))
    if tools:
        background.add(LedgerPolling(desk, tools, configuration.cline.polling).run())
    if configuration.recording.log_watcher:
        background.add(watcher.run())


def _cline(configuration: Configuration) -> tuple[Tool, ...]:
    return ("cline",) if configuration.cline.polling.enabled else ()


def _active(
    configuration: Configuration, handler: CommandHandler, catalogue: Catalogue
) -> Callable[[], tuple[int | None, int]]:
    """The active session, and the window of its model, else of the default one."""

    def active() -> tuple[int | None, int]:
        state = handler.state
        session = state.sessions.get(state.active_id) if state.active_id is not None else None
        model = (session.model if session is not None else None) or configuration.default_model
        return state.active_id, catalogue.max_context(catalogue.default_provider() or "", model)

    return active
