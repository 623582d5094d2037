"""Edges of the queries that no random history reaches."""

import pytest

from projections.catalogue import PROJECTIONS
from projections.exchange_lists import list_exchanges
from projections.exchanges import exchange_refs, get_exchange, recent_metrics
from projections.masks import find_masks
from projections.server_state import find_prunings
from projections.session_stats import session_stats
from projections.sessions import ERASED_NAME, get_session, list_sessions
from projections.timeline import CursorError, Order, list_events, position_at_time
from projections.workspace import active_session_id, auto_session
from schema.context import ContentMasked, ReplacedOutput
from schema.erasure import ErasedCounts, SessionErased
from schema.exchanges import ExchangeCompleted, SentLast
from schema.moving import SessionsMerged
from schema.server_state import TextPruned
from schema.sessions import SessionDeleted, SessionStarted
from tests.projections.building import START_MS, apply, completed, failed, record, refs, session, started
from tests.projections.conftest import Given


def test_an_empty_log_answers_everything(given: Given) -> None:
    db = given([])
    assert list_sessions(db, at=0, limit=10).total == 0
    assert list_exchanges(db, at=0, limit=10).rows == []
    assert list_events(db, at=0, limit=10).total == 0
    assert (active_session_id(db, at=0), auto_session(db, at=0).enabled) == (None, True)
    assert session_stats(db, 1, at=0).avg_tokens is None
    assert position_at_time(db, START_MS, at=0) == 0


def test_an_exchange_is_running_until_its_end_at_any_position(given: Given) -> None:
    db = given([started(1, preview="hello"), completed(1, answer_ref="r", other_refs=("s", "t"))])
    running, ended = get_exchange(db, 1, at=1), get_exchange(db, 1, at=2)
    assert running is not None and ended is not None
    assert (running.outcome, running.answer_ref, running.finished_at) == ("running", None, None)
    assert (ended.outcome, ended.other_refs, ended.finished_at) == ("completed", ("s", "t"), START_MS + 2000)
    assert (ended.preview, ended.timings.duration_ms, ended.attempts) == ("hello", 90.0, 1)
    assert (ended.sent_identical, ended.sent_envelope_ref) == (True, "e1")


def test_an_exchange_is_found_by_either_name_of_its_model(given: Given) -> None:
    def served(number: int, model: str) -> ExchangeCompleted:
        last = SentLast(provider="other", model=model, envelope_ref="e2")
        return completed(number, sent_last=last)

    db = given(
        [
            started(1, model_requested="small", model_sent="acme-small"),
            started(2, model_requested="acme-small", model_sent="acme-small"),
            started(3, model_requested="acme-small", model_sent="acme-small"),
            started(4, model_requested=None, model_sent="acme-small"),
            started(5, model_requested="small", model_sent="acme-small"),
            completed(1),
            served(3, "spare"),
            served(5, "small"),
        ]
    )
    for at, model, ids in (
        (5, "small", [5, 1]), (8, "small", [5, 1]), (5, "acme-small", [5, 4, 3, 2, 1]), (8, "acme-small", [4, 3, 2, 1]),
        (6, "spare", []), (8, "spare", [3]),
    ):  # fmt: skip
        for session_id in (None, 1):
            page = list_exchanges(db, at=at, model=model, session_id=session_id, limit=10)
            assert ([row.id for row in page.rows], page.total) == (ids, len(ids)), (at, model, session_id)
            page = list_exchanges(db, at=at, model=model, session_id=session_id, outcome="running", limit=1)
            running = [number for number in ids if at < 6 or number in (2, 4)]
            assert ([row.id for row in page.rows], page.total) == (running[:1], len(running)), (at, model, session_id)


def test_a_deleted_session_keeps_its_figures(given: Given) -> None:
    db = given([session(1), started(1), completed(1), SessionDeleted(session_id=1)])
    found = get_session(db, 1, at=4)
    assert found is not None and found.deleted
    assert list_sessions(db, at=4, limit=10).rows == []
    assert [row.id for row in list_sessions(db, at=3, limit=10).rows] == [1]
    assert session_stats(db, 1, at=4).cumulative_total_tokens == 15
    assert [row.id for row in recent_metrics(db, 1, at=4, limit=10)] == [1]


def test_a_session_whose_key_is_gone_is_shown_as_erased(given: Given) -> None:
    db = given([SessionStarted(session_id=1, name=None, provider="demo", origin="auto")])
    found = get_session(db, 1, at=1)
    assert found is not None and (found.name, found.erased) == (ERASED_NAME, True)


def test_long_chains_of_differences_expand(given: Given) -> None:
    events = [started(1, received=refs("m0", "m1"))]
    events += [started(number, received=refs(f"m{number}", base=number - 1, keep=number)) for number in range(2, 40)]
    expanded = exchange_refs(given(events), 39, at=39)
    assert expanded is not None
    assert expanded[0] == expanded[1] == tuple(f"m{number}" for number in range(40))


@pytest.mark.parametrize("base", [2, 3, 99])
def test_a_list_that_builds_on_no_earlier_one_is_an_error(given: Given, base: int) -> None:
    db = given([started(2, received=refs("a", base=base, keep=1))])
    with pytest.raises(LookupError):
        exchange_refs(db, 2, at=1)


def test_the_timeline_takes_a_range_of_positions(given: Given) -> None:
    db = given([session(number) for number in range(1, 8)])
    page = list_events(db, at=6, from_position=3, to_position=99, order="asc", limit=10)
    assert ([row.position for row in page.rows], page.total, page.next_cursor) == ([3, 4, 5, 6], 4, None)
    assert list_events(db, at=7, from_position=5, to_position=2, limit=10).total == 0
    assert list_events(db, at=7, from_position=5, to_position=6, types=["SessionStarted"], limit=1).total == 2


@pytest.mark.parametrize(("order", "wanted"), [("desc", [5, 4, 3, 2, 1]), ("asc", [1, 2, 3, 4, 5, 6, 7])])
@pytest.mark.parametrize("types", [(), ("SessionStarted",)])
def test_a_cursor_survives_new_events(order: Order, wanted: list[int], types: tuple[str, ...], given: Given) -> None:
    db = given([session(number) for number in range(1, 6)])
    seen: list[int] = []
    cursor, at = None, 5
    while not seen or cursor:
        page = list_events(db, at=at, order=order, types=types, limit=2, cursor=cursor)
        seen += [row.position for row in page.rows]
        cursor = page.next_cursor
        if at == 5:
            apply(db, PROJECTIONS, record([session(number) for number in range(1, 8)]))
            at = 7
    assert seen == wanted


@pytest.mark.parametrize("cursor", ["", "d", "a3", "d-1", "d1.5", "d٣", "d" + "9" * 40, "3", "d 3"])
def test_a_foreign_cursor_is_refused(cursor: str, given: Given) -> None:
    with pytest.raises(CursorError):
        list_events(given([session(1)]), at=1, order="desc", limit=1, cursor=cursor)


@pytest.mark.parametrize(("q", "wanted"), [("ECHO-2", [3]), ("no answer", [3]), ("secret", []), ("exchange", [3, 2])])
def test_search_finds_models_and_errors_but_no_contents(q: str, wanted: list[int], given: Given) -> None:
    db = given([session(1), started(1, preview="secret"), failed(1, model_answered="Echo-2")])
    page = list_events(db, at=3, q=q, limit=10)
    assert ([row.position for row in page.rows], page.total) == (wanted, len(wanted))


def test_of_the_same_text_the_own_comes_first_and_the_erased_last(given: Given) -> None:
    def masked(session_id: int) -> ContentMasked:
        output = ReplacedOutput("", "ab" * 32, "r", "s", 0, "", "t", 2, 1)
        return ContentMasked(session_id=session_id, stage="mask", output=output, preview="p")

    gone = SessionErased(session_id=3, erased_at=1, counts=ErasedCounts())
    merged = SessionsMerged(session_id=9, target_id=9, source_ids=(1,))
    db = given([*(session(number) for number in (1, 2, 3, 9)), masked(1), masked(2), masked(3), merged, gone])
    for asking, sessions in ((None, [2, 1, 3]), (1, [1, 2, 3]), (9, [1, 2, 3]), (3, [3, 2, 1])):
        assert [row.session_id for row in find_masks(db, "ab" * 8, asking, at=9)] == sessions
    pruned = [
        TextPruned(session_id=number, prune_id="p", text_ref="r", source_type="logs", original_lines=3)
        for number in (1, 2, 3)
    ]
    db = given(pruned)
    assert [row.session_id for row in find_prunings(db, "p", 1, at=3)] == [1, 3, 2]
    assert [row.session_id for row in find_prunings(db, "p", 7, at=2)] == [2, 1]
