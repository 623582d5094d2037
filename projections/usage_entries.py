"""Usage as it is asked for and answered, whoever knows of it."""

from typing import Literal

import msgspec

Grouping = Literal["day", "model", "provider", "session", "client_family"]
Kind = Literal["measured", "estimated", "imported", "none"]
HOURS_OF_A_DAY, HOUR_MS = 24, 3_600_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage, and how grouped: None means any. Hours count from the epoch, the last one included. Groups of a day
    have its number since the epoch as their key, those of a model `provider/model`. `model` is a name that goes
    upstream; what it means beside that is in `meant`, as pairs of a provider and its name for a model."""

    group_by: Grouping | None = None
    from_hour: int = 0
    to_hour: int = 1 << 40
    sessions: tuple[int, ...] | None = None
    provider: str | None = None
    model: str | None = None
    meant: tuple[tuple[str, str], ...] = ()
    client_family: str | None = None

    def wants_model(self, provider: str | None, model: str | None) -> bool:
        return self.model in (None, model) or (provider, model) in self.meant


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One group's usage of one kind of count; `cost` in micro-dollars. `input` holds `cached` and `cache_write`, and
    that `cache_write_1h`; `output` holds `reasoning`. Of `unpriced` exchanges the cost is not known. `client_cost` is
    the part of `cost` that clients worked out, of `client_priced` exchanges."""

    key: str
    source: Kind
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    interrupted: int = 0
    attempts: int = 0
    retries: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cost: int = 0
    unpriced: int = 0
    client_cost: int = 0
    client_priced: int = 0

    @property
    def exchanges(self) -> int:
        return self.completed + self.failed + self.cancelled + self.interrupted

    @property
    def priced(self) -> int:
        return self.exchanges - self.unpriced if self.source != "none" else 0
