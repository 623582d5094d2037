"""What stands in the configuration file without effect: named in a warning, never an error (contract section 6)."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel

from api.configuration_mcp import FastFilesystem, Mcp, McpServer
from api.configuration_sections import (
    BudgetEntry,
    Budgets,
    Cline,
    Compaction,
    CompactionAuto,
    CompactionPreview,
    CompactionUi,
    Compression,
    FileModel,
    KeyEntry,
    LedgersSection,
    MemoryEmbedder,
    MemorySection,
    ModelEntry,
    ObservationMasking,
    Polling,
    PriceEntry,
    PricesSection,
    ProviderEntry,
    RateLimit,
    RecordingSection,
    Reduction,
    RetentionSection,
    RetryEntry,
    Sanitizer,
    Schema1,
    Server,
)
from api.configuration_telemetry import Telemetry

# Keys of the contract whose feature does not exist yet.
LATER_SECTIONS = frozenset(("context_pruning", "routing"))
LATER_KEYS: Mapping[type[BaseModel], frozenset[str]] = {
    Sanitizer: frozenset({"tmp_dir", "routing"}),
    Mcp: frozenset({"qdrant", "compression", "retry"}),
}
_SECTIONS: Mapping[str, type[BaseModel]] = {
    "server": Server,
    "rate_limit": RateLimit,
    "budgets": Budgets,
    "recording": RecordingSection,
    "sanitizer": Sanitizer,
    "reduction": Reduction,
    "observation_masking": ObservationMasking,
    "compaction": Compaction,
    "retention": RetentionSection,
    "memory": MemorySection,
    "telemetry": Telemetry,
    "mcp": Mcp,
    "cline": Cline,
    "ledgers": LedgersSection,
    "prices": PricesSection,
}
_SUBSECTIONS: Mapping[tuple[str, str], type[BaseModel]] = {
    ("sanitizer", "compression"): Compression,
    ("memory", "embedder"): MemoryEmbedder,
    ("budgets", "session"): BudgetEntry,
    ("budgets", "day"): BudgetEntry,
    ("budgets", "key"): BudgetEntry,
    ("observation_masking", "schema1"): Schema1,
    ("cline", "polling"): Polling,
    ("compaction", "auto"): CompactionAuto,
    ("compaction", "ui"): CompactionUi,
    ("compaction", "preview"): CompactionPreview,
    ("mcp", "fast_filesystem"): FastFilesystem,
}
_ENTRIES: Mapping[str, type[BaseModel]] = {
    "providers": ProviderEntry,
    "models": ModelEntry,
    "keys": KeyEntry,
}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


def without_effect(values: Mapping[str, object]) -> list[str]:
    """One line for every section or key of the file that is unknown or has no effect yet; `values` must be checked."""
    return list(_lines(values))


def dotted(parts: Iterable[object]) -> str:
    """The path of a key as it is written in TOML, quoted where it must be."""
    return ".".join(part if _PLAIN_KEY.fullmatch(part) else f'"{part}"' for part in map(str, parts))


def _lines(values: Mapping[str, object]) -> Iterator[str]:
    for name in values:
        if name in LATER_SECTIONS:
            yield f"[{name}] has no effect yet"
        elif name not in FileModel.model_fields:
            yield _unknown((name,), [*FileModel.model_fields, *LATER_SECTIONS])
    for name, model in _SECTIONS.items():
        yield from _section((name,), _table(values.get(name)), model)
    for (name, inner), model in _SUBSECTIONS.items():
        yield from _section((name, inner), _table(_table(values.get(name)).get(inner)), model)
    for name, model in _ENTRIES.items():
        for key, entry in _table(values.get(name)).items():
            yield from _section((name, key), _table(entry), model)
            for inner, table in (("price", PriceEntry), ("retry", RetryEntry), ("budget", BudgetEntry)):
                yield from _section((name, key, inner), _table(_table(entry).get(inner)), table)
    for key, entry in _table(_table(values.get("mcp")).get("servers")).items():
        yield from _section(("mcp", "servers", key), _table(entry), McpServer)


def _section(path: tuple[str, ...], values: Mapping[str, object], model: type[BaseModel]) -> Iterator[str]:
    later = LATER_KEYS.get(model, frozenset())
    for key in values:
        if key in later:
            yield f"{dotted((*path, key))} has no effect yet"
        elif key not in model.model_fields:
            yield _unknown((*path, key), model.model_fields)


def _unknown(path: tuple[str, ...], known: Iterable[str]) -> str:
    near = difflib.get_close_matches(path[-1], list(known), n=1)
    return f"unknown key {dotted(path)}" + (f"; is {near[0]} meant?" if near else "")


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
