"""The gateway: row 56, the endpoint of all servers, and what was called."""

from tests.contract.pair import INVALID, NO_AT, Pair, get, post

_LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
_RPC = "/api/mcp-gateway/pruner/rpc"
_ANSWER = "{jsonrpc:str, id:int, result:object}"
_REFUSED = "{jsonrpc:str, id:int?, error:{code:int, message, data:object}}"

PAIRS = (
    post(
        "56", _RPC, _ANSWER, ("", [_LIST], 400, "invalid_request"), body=_LIST, auth="rpc", events=("McpCallCompleted",)
    ),
    post(
        "56", "/mcp", _ANSWER, ("", {**_LIST, "id": []}, 400, "invalid_request"), body={**_LIST, "method": "ping"},
        auth="rpc",
    ),
    *(
        Pair(
            row="56", method="DELETE", path=path, status=404, answer=_REFUSED, auth="rpc",
            bad=("", None, 404, "session_not_found"),
        )
        for path in (_RPC, "/mcp")
    ),
    get(
        "-", "/api/mcp/calls",
        '{calls:{position, session_id:int?, server, method, tool:str?, status:"completed"/"failed"/"refused", outcome,'
        " code:int?, duration_ms:number?, bytes:int, masks:str[], timestamp, correlation_id:str?, arguments:str?,"
        " error:str?}[], total}",
        ("?limit=0", None, 422, INVALID), at=True,
    ),
    get("31", "/api/memory/servers", "{servers:Server[], all_connected:bool, timestamp}", NO_AT),
    get(
        "32", "/api/memory/all-servers",
        "{all:Server[], phase3:Server[], phase4:Server[], all_connected:bool, connected_count, total_count, timestamp}",
        NO_AT,
    ),
    get(
        "-", "/api/mcp/servers",
        "{servers:{name, configured:bool, transport:str?, url:str?, starts:int, crashes:int, breaks:int, failures:int,"
        " last_started_at:time?, last_crashed_at:time?, broken_until:time?, protocol:str?}[]}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    get(
        "-", "/api/mcp/tools",
        "{servers:{server, answered:bool, tokens:int, tools:{name, description, tokens:int, annotations:object}[]}[],"
        " total_tokens}",
        NO_AT,
    ),
)  # fmt: skip
