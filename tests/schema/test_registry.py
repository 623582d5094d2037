"""Names, versions, upcasts and what is sealed."""

import re
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from schema.catalogue import REGISTRY
from schema.registry import Event, Registry, SealedText, UnknownEventTypeError
from schema.sessions import SessionRenamed
from schema.workspace import AutoSessionEnabled

SEALED = {
    "CompactionPerformed": ["summary", "previews"],
    "CompressionFailed": ["error_message"],
    "CompressionPerformed": ["summary", "previews"],
    "ContentMasked": ["preview"],
    "ContextStored": ["title", "tags"],
    "ContextUpdated": ["title", "tags"],
    "ExchangeFailed": ["error_message"],
    "ExchangeReassigned": ["preview", "error_message"],
    "ExchangeStarted": ["preview"],
    "McpCallCompleted": ["arguments"],
    "McpCallFailed": ["arguments", "error_message"],
    "McpCallRefused": ["arguments"],
    "MemoryStored": ["metadata", "preview"],
    "MessagePinned": ["reason"],
    "MessageUnpinned": ["reason"],
    "OutputsMasked": ["previews"],
    "SessionDeleted": ["reason"],
    "SessionForked": ["previews", "summaries", "pin_reasons"],
    "SessionRenamed": ["from", "to"],
    "SessionStarted": ["name"],
    "TextPruned": ["goal"],
    "ThoughtRecorded": ["thought", "branch"],
}


class Thing(Event, frozen=True):
    session_id: int
    size: int
    label: SealedText = None


class Unregistered(Event, frozen=True):
    pass


def test_the_names_in_the_log_are_pinned() -> None:
    """What stands here stands in logs for ever: a renamed class needs an upcast, never an edit of this list."""
    assert [(name, REGISTRY.named(name).version) for name in REGISTRY.names()] == [
        ("AutoCompactionDisabled", 1),
        ("AutoCompactionEnabled", 1),
        ("AutoCompactionSkipped", 1),
        ("AutoSessionDisabled", 1),
        ("AutoSessionEnabled", 1),
        ("BreakerOpened", 1),
        ("CompactionPerformed", 1),
        ("CompactionReverted", 1),
        ("CompressionFailed", 1),
        ("CompressionPerformed", 1),
        ("ConfigurationLoaded", 1),
        ("ContentMasked", 1),
        ("ContentRetrieved", 1),
        ("ContextDeleted", 1),
        ("ContextStored", 1),
        ("ContextUpdated", 1),
        ("DatabaseVacuumed", 1),
        ("ExchangeCancelled", 1),
        ("ExchangeCompleted", 1),
        ("ExchangeFailed", 1),
        ("ExchangeInterrupted", 1),
        ("ExchangeReassigned", 1),
        ("ExchangeRefused", 1),
        ("ExchangeStarted", 1),
        ("LedgerImported", 1),
        ("McpCallCompleted", 1),
        ("McpCallFailed", 1),
        ("McpCallRefused", 1),
        ("McpServerCrashed", 1),
        ("McpServerStarted", 1),
        ("MemoryDemoted", 1),
        ("MemoryForgotten", 1),
        ("MemoryPromoted", 1),
        ("MemoryRecalled", 1),
        ("MemoryRestored", 1),
        ("MemoryStored", 1),
        ("MessagePinned", 1),
        ("MessageUnpinned", 1),
        ("OutputsMasked", 1),
        ("PriceBookAdopted", 1),
        ("ReadModelRebuilt", 1),
        ("RecordingGap", 1),
        ("RepricedFrom", 1),
        ("SanitizerDisabled", 1),
        ("SanitizerEnabled", 1),
        ("SessionActivated", 1),
        ("SessionDeleted", 1),
        ("SessionErased", 1),
        ("SessionErasureRequested", 1),
        ("SessionForked", 1),
        ("SessionRenamed", 1),
        ("SessionStarted", 1),
        ("SessionsMerged", 1),
        ("TaskUsageImported", 1),
        ("TextPruned", 1),
        ("ThoughtRecorded", 1),
        ("TokensReserved", 1),
    ]


@pytest.mark.parametrize("name", REGISTRY.names())
def test_names_are_past_tense_words_and_each_field_is_stored_once(name: str) -> None:
    entry = REGISTRY.named(name)
    assert re.fullmatch(r"([A-Z][a-z]+)+", name)
    stored = [stored for _, stored in entry.clear + entry.sealed] + list(entry.columns)
    assert len(set(stored)) == len(stored) == len(entry.cls.__struct_fields__)


@pytest.mark.parametrize("name", REGISTRY.names())
def test_what_may_be_nothing_may_be_left_out(name: str) -> None:
    """None is not written, so that a field which may be None must have it as its default."""
    entry = REGISTRY.named(name)
    sealed = {attribute for attribute, _ in entry.sealed}
    for field in msgspec.structs.fields(entry.cls):
        if field.name not in sealed and type(None) in get_args(get_type_hints(entry.cls)[field.name]):
            assert not field.required, field.name


def test_what_is_sealed_is_pinned() -> None:
    sealed = {name: [stored for _, stored in REGISTRY.named(name).sealed] for name in REGISTRY.names()}
    assert {name: fields for name, fields in sealed.items() if fields} == SEALED


def test_columns_are_kept_apart_and_encoded_names_are_used() -> None:
    entry = REGISTRY.named("SessionRenamed")
    assert entry.columns == ("session_id",)
    assert entry.sealed == (("from_", "from"), ("to", "to"))
    assert entry.clear == ()
    assert REGISTRY.of(SessionRenamed(session_id=1, from_="a", to="b")) is entry


def test_unknown_types_are_refused() -> None:
    with pytest.raises(UnknownEventTypeError, match="Nothing"):
        REGISTRY.named("Nothing")
    with pytest.raises(UnknownEventTypeError, match="Unregistered"):
        REGISTRY.of(Unregistered())


def test_a_name_is_registered_once() -> None:
    registry = Registry()
    registry.add(AutoSessionEnabled)
    with pytest.raises(ValueError, match="twice"):
        registry.add(AutoSessionEnabled)


def test_sealing_needs_a_session() -> None:
    class Loose(Event, frozen=True):
        label: SealedText

    with pytest.raises(ValueError, match="names no session"):
        Registry().add(Loose)


def test_upcasts_lift_stored_data_step_by_step() -> None:
    def measured(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "size": len(data["label"])}

    def doubled(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "size": data["size"] * 2}

    registry = Registry()
    registry.add(Thing, version=3, upcasts={1: measured, 2: doubled})
    entry = registry.named("Thing")
    assert registry.upcast(entry, 1, {"label": "abc"}) == {"label": "abc", "size": 6}
    assert registry.upcast(entry, 2, {"label": "abc", "size": 5}) == {"label": "abc", "size": 10}
    assert registry.upcast(entry, 3, {"size": 5}) == {"size": 5}


def test_a_later_version_of_a_type_is_refused() -> None:
    registry = Registry()
    registry.add(Thing)
    with pytest.raises(UnknownEventTypeError, match="Thing version 2"):
        registry.upcast(registry.named("Thing"), 2, {})
