"""Events of every type, drawn at random within what their fields may hold."""

from typing import Any, TypeVar

from hypothesis import strategies as st

from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
    MessageRefs,
    Resolution,
    Timings,
    Usage,
)
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import (
    AutoSessionDisabled,
    AutoSessionEnabled,
    ConfigurationLoaded,
    DatabaseVacuumed,
    SessionActivated,
)

T = TypeVar("T")

ids = st.integers(1, (1 << 63) - 1)
counts = st.integers(0, (1 << 63) - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
refs = st.binary(min_size=32, max_size=32).map(bytes.hex)
milliseconds = st.floats(0, 1e12, allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects: st.SearchStrategy[dict[str, Any]] = st.dictionaries(texts, json_values, max_size=4)


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


ref_lists = st.lists(refs, max_size=3).map(tuple)
message_refs = st.builds(
    MessageRefs, base_exchange=maybe(ids), keep=counts, added=ref_lists, count=counts, tokens=counts
)
resolutions = st.builds(
    Resolution,
    rule=texts,
    branch=st.sampled_from([None, "fork", "client_compaction", "retry"]),
    parent_id=maybe(ids),
)
usages = st.builds(
    Usage,
    source=st.sampled_from(["measured", "estimated", "none"]),
    prompt_tokens=counts,
    completion_tokens=counts,
    total_tokens=counts,
    cached_tokens=maybe(counts),
    cache_write_tokens=maybe(counts),
    reasoning_tokens=maybe(counts),
)
timings = st.builds(Timings, overhead_ms=milliseconds, ttft_ms=maybe(milliseconds), duration_ms=maybe(milliseconds))

workspace_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(SessionActivated, session_id=ids, previous_id=maybe(ids)),
    st.builds(AutoSessionEnabled),
    st.builds(AutoSessionDisabled),
    st.builds(
        ConfigurationLoaded,
        values=json_objects,
        hash=refs,
        given=st.lists(texts, max_size=3).map(tuple),
        secrets=st.none() | st.dictionaries(texts, refs, max_size=2),
    ),
    st.builds(DatabaseVacuumed, before_bytes=counts, after_bytes=counts),
)
session_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        SessionStarted,
        session_id=ids,
        name=maybe(texts),
        provider=texts,
        model=maybe(texts),
        origin=st.sampled_from(["manual", "auto", "header"]),
        rule=maybe(texts),
        parent_id=maybe(ids),
        client_family=maybe(texts),
        key_hash=maybe(refs),
        scope=maybe(refs),
    ),
    st.builds(SessionRenamed, session_id=ids, from_=maybe(texts), to=maybe(texts)),
    st.builds(SessionDeleted, session_id=ids, reason=maybe(texts)),
)
started: st.SearchStrategy[ExchangeStarted] = st.builds(
    ExchangeStarted,
    session_id=ids,
    exchange_id=ids,
    model_requested=maybe(texts),
    model_sent=texts,
    provider=texts,
    stream=st.booleans(),
    resolution=resolutions,
    client_family=maybe(texts),
    received=message_refs,
    sent=maybe(message_refs),
    envelope_ref=refs,
    sent_envelope_ref=maybe(refs),
    chain=maybe(refs),
    skipped_reason=maybe(texts),
    preview=maybe(texts),
    blob=st.none(),
)


def finished(cls: type[Finished], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Finished]:
    return st.builds(
        cls,
        session_id=ids,
        exchange_id=ids,
        usage=usages,
        usage_raw=maybe(json_objects),
        answer_ref=maybe(refs),
        other_refs=ref_lists,
        chain=maybe(refs),
        finish_reason=maybe(texts),
        http_status=maybe(st.integers(100, 599)),
        timings=timings,
        attempts=st.integers(0, 5),
        model_answered=maybe(texts),
        upstream_request_id=maybe(texts),
        blob=st.none(),
        **more,
    )


endings: st.SearchStrategy[Event] = st.one_of(
    finished(ExchangeCompleted),
    finished(ExchangeFailed, error_code=texts, error_message=maybe(texts)),
    finished(ExchangeCancelled),
    finished(ExchangeInterrupted, cause=st.sampled_from(["found_open", "shutdown"])),
)
any_event: st.SearchStrategy[Event] = st.one_of(workspace_events, session_events, started, endings)
