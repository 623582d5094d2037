"""Events of the workspace: the global switches and which session the dashboard looks at. Stream `workspace`."""

from typing import Any

from schema.registry import Event


class SessionActivated(Event, frozen=True, kw_only=True):
    session_id: int
    previous_id: int | None = None


class AutoSessionEnabled(Event, frozen=True, kw_only=True):
    pass


class AutoSessionDisabled(Event, frozen=True, kw_only=True):
    pass


class ConfigurationLoaded(Event, frozen=True, kw_only=True):
    """The configuration at a start that differs from the last one: `values` without any secret."""

    values: dict[str, Any]
    hash: str


EVENTS = (SessionActivated, AutoSessionEnabled, AutoSessionDisabled, ConfigurationLoaded)
