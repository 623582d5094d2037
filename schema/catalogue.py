"""The one registry of all event types."""

from schema import (
    compaction,
    context,
    erasure,
    exchanges,
    forking,
    gateway,
    ledgers,
    memory,
    moving,
    prices,
    server_state,
    sessions,
    workspace,
)
from schema.registry import Registry


def event_registry() -> Registry:
    registry = Registry()
    for module in (
        workspace,
        sessions,
        exchanges,
        context,
        compaction,
        erasure,
        moving,
        forking,
        gateway,
        ledgers,
        memory,
        server_state,
        prices,
    ):
        for cls in module.EVENTS:
            registry.add(cls)
    return registry


REGISTRY = event_registry()
