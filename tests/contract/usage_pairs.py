"""Pairs of usage and prices."""

from tests.contract.pair import INVALID, get, post

_USED = (
    "exchanges:int, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,"
    " reasoning_tokens, cost_usd:number?, priced:int, unpriced:int"
)
_TOTALS = (
    f"{_USED}, completed:int, failed:int, cancelled:int, interrupted:int, unknown:int, attempts:int, retries:int,"
    f" sources:{{measured:{{{_USED}}}, estimated:{{{_USED}}}, imported:{{{_USED}}}}}"
)

PAIRS = (
    get(
        "U1", "/api/usage",
        f"{{group_by:str?, rollup:bool, since:time?, until:time?, totals:{{{_TOTALS}}},"
        f" groups:{{key, name:str?, {_TOTALS}}}[], total:int}}",
        ("?group_by=week", None, 422, INVALID), query="?group_by=model&from=2020-01-01", at=True,
    ),
    get(
        "U2", "/api/prices",
        "{book:str?, prices:{model, provider:str?, since:str?, service_tier:str?, above:int, input:number?,"
        " output:number?, cache_read:number?, cache_write:number?, cache_write_1h:number?}[],"
        " books:{hash, position, adopted_at, prices:int}[],"
        " repricings:{book, from_position:int, position, repriced_at}[]}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    post(
        "U3", "/api/prices/reprice",
        "{success, changed:bool, book, from_position:int, cost_before_usd:number, cost_after_usd:number,"
        " unpriced_before:int, unpriced_after:int}",
        ("", {"from": "yesterday"}, 422, INVALID), body={"from": "{other_id}"}, events=("RepricedFrom",),
    ),
)  # fmt: skip
