"""Budgets (docs/limits.md)."""

from tests.contract.pair import NO_AT, get

_UNIT = "{limit:number?, used:number, reserved:number, left:number?}"

PAIRS = (
    get(
        "-", "/api/budgets",
        f"{{budgets:{{name, tokens:{_UNIT}, usd:{_UNIT}, requests:{_UNIT}, unpriced_requests:int,"
        " resets_at:time?}[]}",
        NO_AT,
    ),
)  # fmt: skip
