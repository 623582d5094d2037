"""Going on from an earlier moment."""

from tests.contract.pair import INVALID, post

PAIRS = (
    post(
        "-", "/api/sessions/{session_id}/fork",
        "{success, session:SessionX, source_id:int, at:int, exchange_id:int?, messages:int, tokens:int}",
        ("", {"at": "yesterday"}, 422, INVALID), body={"name": "n"}, events=("SessionStarted", "SessionForked"),
    ),
)  # fmt: skip
