"""Ledgers of clients (contract 3.5, and those of other tools in its manner). The machine of the test has none: what is
taken over where there are some is in tests/api/test_ledgers.py."""

from tests.contract.pair import INVALID, get, post

_IMPORTED = "{imported_count:int, skipped_count:int, error_count:int, latest_ts:int?, problems:str[]}"
_PART = "{tokens_in:int, tokens_out:int, cost:number?}"
_LAST = "{imported_at, rows:int, skipped:int, errors:int, latest_ts:int?, problems:str[], position}"
_NOWHERE = {"path": "/etc/passwd"}

PAIRS = (
    get(
        "26", "/api/cline/status", "{latest_ts:int?, ledgers:{path, kind, exists:bool}[], total}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    get(
        "27", "/api/cline/usage",
        "{items:{task_id:str, ts:int, model_id:str?, tokens_in:int, tokens_out:int, total_cost:number,"
        " imported_at}[], limit, offset, total}",
        ("?limit=x", None, 422, INVALID), at=True,
    ),
    post("28", "/api/cline/import", _IMPORTED, ("", _NOWHERE, 422, "path_not_allowed")),
    get(
        "-", "/api/ledgers",
        f"{{ledgers:{{tool, kind, path, exists:bool, last_import:{_LAST}?}}[], tools:{{tool, tasks:int,"
        f" matched_tasks:int, overlapping_tasks:int, latest_ts:int?, imported:{_PART}, matched:{_PART},"
        f" counted:{_PART}, wire:{_PART}, difference:{_PART}}}[], total}}",
        ("?at=-1", None, 422, INVALID), at=True,
    ),
    get(
        "-", "/api/ledgers/usage", "{items:object[], limit, offset, total}", ("?limit=1001", None, 422, INVALID),
        at=True,
    ),
    post("-", "/api/ledgers/import", _IMPORTED, ("", {"tool": "nano"}, 422, INVALID)),
)  # fmt: skip
