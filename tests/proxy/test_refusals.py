"""Refusals are told once a minute for each session and code."""

import pytest

from proxy.refusals import Refusals
from schema.appends import Append
from schema.exchanges import ExchangeRefused
from schema.recorded import Metadata


class Desk:
    def __init__(self) -> None:
        self.now = 0.0
        self.appended: list[ExchangeRefused] = []
        self.by: list[str | None] = []
        self.refusals = Refusals(self._append, lambda: self.now)

    def _append(self, append: Append) -> None:
        self.by.append(append.metadata.by)
        self.appended += [new.event for new in append.events if isinstance(new.event, ExchangeRefused)]

    def refuse(self, session_id: int | None = 1, tokens: int = 5, by: str | None = None) -> int:
        """How many events are to be recorded at once."""
        event = ExchangeRefused(
            session_id=session_id,
            code="rate_limit_exceeded",
            count=1,
            tokens=tokens,
            limit=40,
            model_sent="m",
            provider="p",
            scope="all requests",
            unit="requests",
        )
        return len(self.refusals.tell(event, Metadata(actor="proxy", by=by)))


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_the_first_is_told_and_the_others_are_counted(desk: Desk) -> None:
    assert [desk.refuse(), desk.refuse(), desk.refuse(tokens=7)] == [1, 0, 0]
    desk.refusals.flush()
    assert [(event.count, event.tokens) for event in desk.appended] == [(2, 7)]
    desk.refusals.flush()
    assert len(desk.appended) == 1


async def test_each_session_is_told_of_by_itself(desk: Desk) -> None:
    assert [desk.refuse(1), desk.refuse(2), desk.refuse(None)] == [1, 1, 1]


async def test_each_key_is_told_of_by_itself_where_there_is_no_session(desk: Desk) -> None:
    assert [desk.refuse(None, by=key) for key in ("alice", "alice", "bob", "bob", "bob", None)] == [1, 0, 1, 0, 0, 1]
    desk.refusals.flush()
    assert [(event.count, by) for event, by in zip(desk.appended, desk.by, strict=True)] == [(1, "alice"), (2, "bob")]
    assert [desk.refuse(1, by=key) for key in ("alice", "bob")] == [1, 0]


async def test_after_a_minute_the_next_one_is_told(desk: Desk) -> None:
    desk.refuse()
    desk.now = 60.0
    assert desk.refuse() == 1


async def test_what_is_dropped_for_others_is_told_before(desk: Desk) -> None:
    desk.refuse(0)
    desk.refuse(0)
    assert sum(desk.refuse(session) for session in range(1, 1_001)) == 1_000
    assert [event.count for event in desk.appended] == [1]
    assert desk.refusals.counts == {"rate_limit_exceeded": 1_002}
