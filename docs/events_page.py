"""The body of docs/events.md, from the event types themselves, so that the page cannot lie."""

import inspect
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import msgspec

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
from schema.catalogue import REGISTRY
from schema.recorded import Recorded
from schema.registry import COLUMNS, SEALED, Event

_SLICES = (
    (workspace, "Workspace"),
    (sessions, "Sessions"),
    (exchanges, "Exchanges"),
    (context, "Context"),
    (compaction, "Compaction"),
    (erasure, "Erasure"),
    (moving, "Moving"),
    (forking, "Forking"),
    (gateway, "Gateway"),
    (ledgers, "Ledgers"),
    (memory, "Memory"),
    (server_state, "Servers in process"),
    (prices, "Prices"),
)
_PARTS = (
    exchanges.Resolution,
    exchanges.MessageRefs,
    exchanges.Usage,
    exchanges.Timings,
    exchanges.Blob,
    exchanges.ReductionStep,
    context.ReplacedOutput,
    compaction.PrefixEdit,
    compaction.Inserted,
    compaction.LeftOut,
    erasure.ErasedCounts,
    forking.CarriedExchange,
    forking.CarriedContext,
    forking.CarriedReplacement,
    forking.CarriedDecision,
    ledgers.ModelUsage,
    ledgers.WireMatch,
    prices.PriceRow,
)


def page() -> str:
    """Markdown: the columns of every event, each event by slice, and the structs that fields hold."""
    blocks = [_section(Recorded, "## Columns of every event")]
    for module, title in _SLICES:
        blocks.append(f"## {title}\n\n{_text(inspect.getdoc(module))}")
        blocks.extend(_event(cls) for cls in module.EVENTS)
    blocks.append("## Parts\n\nStructs that fields of the events hold.")
    blocks.extend(_section(part, f"### {part.__name__}") for part in _PARTS)
    return "\n\n".join(blocks)


def _event(cls: type[Event]) -> str:
    entry = REGISTRY.named(cls.__name__)
    return _section(cls, f"### {entry.name}", f"Version {entry.version}.")


def _section(cls: type[msgspec.Struct], heading: str, note: str = "") -> str:
    described = " ".join(filter(None, (_text(cls.__doc__), note)))
    hints = get_type_hints(cls, include_extras=True)
    rows = [_row(field, hints[field.name], cls) for field in msgspec.structs.fields(cls) if field.name != "event"]
    table = ["| field | type | default | stored |", "|--|--|--|--|", *rows] if rows else ["No fields."]
    return "\n\n".join((heading, described, "\n".join(table)))


def _row(field: msgspec.structs.FieldInfo, hint: object, cls: type[msgspec.Struct]) -> str:
    cells = (f"`{field.encode_name}`", f"`{_type(hint)}`", _default(field), _place(field.name, hint, cls))
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def _type(hint: object) -> str:
    """A type as one reads it: `str or null`, `"a" or "b"`, a list as `[str]`."""
    if get_origin(hint) is Annotated:
        return _type(get_args(hint)[0])
    if hint is type(None):
        return "null"
    if get_origin(hint) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(hint))
    if get_origin(hint) is tuple:
        return f"[{_type(get_args(hint)[0])}]"
    if get_origin(hint) is dict:
        return "object"
    if get_args(hint):
        return " or ".join(_type(part) for part in get_args(hint))
    return getattr(hint, "__name__", str(hint))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    return "" if field.default in (None, msgspec.NODEFAULT) else f"`{msgspec.json.encode(field.default).decode()}`"


def _place(name: str, hint: object, cls: type[msgspec.Struct]) -> str:
    if not issubclass(cls, Event):
        return "column" if cls is Recorded else ""
    if SEALED in getattr(hint, "__metadata__", ()):
        return "**sealed**"
    return "column" if name in COLUMNS else "clear"


def _text(doc: str | None) -> str:
    return " ".join((doc or "").split())
