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
_PART = "{messages:int, tokens, share:number}"

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
    get(
        "U4", "/api/usage/sessions/{session_id}/context",
        "{session_id, exchange_id:int?, tokens, measured_tokens:int?, max_context, percentage,"
        f" parts:{{system:{_PART}, tool_schemas:{_PART}, history:{_PART}, tool_output:{_PART},"
        " by_tool:{tool, messages:int, tokens}[]}?}",
        ("?exchange_id=x", None, 422, INVALID), at=True,
    ),
    get(
        "U5", "/api/usage/sessions/{session_id}/cache",
        "{session_id, exchanges:int, reported:int, input_tokens, cache_read_tokens, cache_write_tokens,"
        " hit_percentage:number?, lost_tokens, breaks:{exchange_id, after_exchange_id, position, timestamp, cause, by,"
        " first_changed:int?, cached_tokens:int?, lost_tokens}[]}",
        ("?limit=1", None, 422, INVALID), at=True,
    ),
    get(
        "U6", "/api/usage/sessions/{session_id}/forecast",
        "{session_id, current_tokens, reserved_tokens, max_context, remaining_tokens, tokens_per_request:number?,"
        " requests_left:int?, exchanges:int, span_ms:int, requests_per_hour:number?, tokens_per_hour:number?,"
        " cost_per_hour_usd:number?, cost_per_request_usd:number?, unpriced:int}",
        ("?at=-1", None, 422, INVALID), at=True,
    ),
)  # fmt: skip
