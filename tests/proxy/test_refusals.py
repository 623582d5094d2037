"""Refusals are told once a minute for each session and code."""

import pytest

from proxy.refusals import Refusals
from schema.appends import Append
from schema.exchanges import ExchangeRefused
from schema.recorded import Metadata

METADATA = Metadata(actor="proxy")


class Desk:
    def __init__(self) -> None:
        self.now = 0.0
        self.appended: list[ExchangeRefused] = []
        self.refusals = Refusals(self._append, lambda: self.now)

    def _append(self, append: Append) -> None:
        self.appended += [new.event for new in append.events if isinstance(new.event, ExchangeRefused)]

    def refuse(self, session_id: int | None = 1, tokens: int = 5) -> int:
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
        return len(self.refusals.tell(event, METADATA))


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
