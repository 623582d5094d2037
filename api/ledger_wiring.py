"""The parts that read ledgers, made."""

from api.configuration import Configuration
from api.ledger_desk import LedgerDesk
from commands.handling import CommandHandler
from ledgers.catalogue import CLINE, CLINE_SESSIONS
from ledgers.places import Machine, shelf
from projections.store import ReadPool


def ledger_desk(configuration: Configuration, handler: CommandHandler, reads: ReadPool) -> LedgerDesk:
    """The built-in places and those that the configuration names."""
    cline = ((CLINE_SESSIONS if text.endswith(".db") else CLINE, text) for text in configuration.cline.ledgers)
    machine = Machine.own()
    return LedgerDesk(shelf(machine, [(kind.name, text) for kind, text in cline]), machine, handler, reads)
