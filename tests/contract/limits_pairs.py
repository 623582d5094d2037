"""Budgets (docs/limits.md)."""

from tests.contract.pair import NO_AT, get

_COUNT = "{limit:int?, used:int, reserved:int, left:int?}"
_USD = "{limit:number?, used:number, reserved:number, left:number?}"

PAIRS = (
    get(
        "-", "/api/budgets",
        f"{{budgets:{{name, tokens:{_COUNT}, usd:{_USD}, requests:{_COUNT}, unpriced_requests:int,"
        " resets_at:time?}[]}",
        NO_AT,
    ),
)  # fmt: skip
