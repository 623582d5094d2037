"""Budgets: how much there is, how much is used and held (beside the contract's rows; docs/limits.md)."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.fields import QueryId
from api.reading import LIVE
from api.services import Use
from api.times import iso_or_none
from commands.errors import session_not_found
from proxy.budgets import Account

router = APIRouter(prefix="/api/budgets", tags=["monitoring"], dependencies=LIVE)

_MICRO = 1_000_000


class Count(BaseModel):
    """Of tokens or requests; `limit` and `left` are null where there is no limit. `left` is what a further request may
    reserve."""

    limit: int | None
    used: int
    reserved: int
    left: int | None


class Dollars(BaseModel):
    """The same of money, in USD."""

    limit: float | None
    used: float
    reserved: float
    left: float | None


class BudgetState(BaseModel):
    """`unpriced_requests` are among those that are used, and not among the dollars."""

    name: str
    tokens: Count
    usd: Dollars
    requests: Count
    unpriced_requests: int
    resets_at: str | None


class BudgetList(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "budgets": [
                        {
                            "name": "the day",
                            "tokens": {"limit": None, "used": 120_000, "reserved": 9_000, "left": None},
                            "usd": {"limit": 5.0, "used": 0.42, "reserved": 0.08, "left": 4.5},
                            "requests": {"limit": None, "used": 17, "reserved": 1, "left": None},
                            "unpriced_requests": 0,
                            "resets_at": "2026-11-28T00:00:00.000Z",
                        }
                    ]
                }
            ]
        }
    )

    budgets: list[BudgetState]


@router.get("")
async def budgets(services: Use, session_id: QueryId = None) -> BudgetList:
    """Of today and of each named key; with `session_id`, of that session too. Empty where there are none."""
    state = services.handler.state
    if session_id is not None and session_id not in state.sessions:
        raise session_not_found(session_id, state.merged.get(session_id))
    if services.budgeting is None:
        return BudgetList(budgets=[])
    await services.budgeting.learn(session_id)
    return BudgetList(budgets=[_state(account) for account in services.budgeting.budgets.accounts(session_id)])


def _state(account: Account) -> BudgetState:
    amounts = zip(account.limit, account.used, account.reserved, strict=True)
    tokens, micros, requests = (_count(*each) for each in amounts)
    return BudgetState(
        name=account.name,
        tokens=tokens,
        usd=_dollars(micros),
        requests=requests,
        unpriced_requests=account.unpriced,
        resets_at=iso_or_none(account.resets_at),
    )


def _count(limit: int, used: int, reserved: int) -> Count:
    left = max(limit - used - reserved, 0) if limit else None
    return Count(limit=limit or None, used=used, reserved=reserved, left=left)


def _dollars(micros: Count) -> Dollars:
    return Dollars(
        limit=None if micros.limit is None else micros.limit / _MICRO,
        used=micros.used / _MICRO,
        reserved=micros.reserved / _MICRO,
        left=None if micros.left is None else micros.left / _MICRO,
    )
