"""What limits completions, made of the configuration."""

import time

from api.configuration import Configuration
from proxy.limiter import Limiter
from proxy.rate_window import Window


def limiter(configuration: Configuration) -> Limiter | None:
    """None where there is nothing but to count all requests together: the hot path then has nothing to ask."""
    section = configuration.rate_limit
    providers = {each.key: Window(f"provider {each.key}", each.max_rpm) for each in configuration.providers}
    keys = {name: Window(f"key {name}", entry.max_rpm) for name, entry in configuration.keys.items()}
    everyone = Window("all requests", section.max_rpm) if section.max_rpm and section.mode != "observe" else None
    limited = {key: window for key, window in providers.items() if window.limit}
    named = {name: window for name, window in keys.items() if window.limit}
    if everyone is None and not limited and not named:
        return None
    return Limiter(section.mode, everyone, limited, named, max_wait_s=section.max_wait_ms / 1_000, clock=time.monotonic)


def key_names(configuration: Configuration) -> dict[str, str]:
    """The names of clients' keys, by key."""
    return {entry.key: name for name, entry in configuration.keys.items()}
