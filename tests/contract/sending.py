"""A request of the table, about things that are there."""

import json
from typing import Any

import httpx

from tests.contract.conftest import Running
from tests.contract.pair import Pair

JSON = {"Content-Type": "application/json"}


def filled(pair: Pair, running: Running) -> tuple[str, Any]:
    """Path and body, about things that are there."""
    whole = json.dumps([pair.path, pair.body])
    number = running.given(pair.given) if "{session_id}" in whole else 0
    if "{other_id}" in whole:
        whole = whole.replace('"{other_id}"', str(running.idle()))
    if "{moving_id}" in whole:
        other = running.idle()
        whole = whole.replace("{moving_id}", str(running.last_exchange(other)))
    if "{ref}" in whole:
        whole = whole.replace("{ref}", running.ref(number))
    whole = whole.replace('"{session_id}"', str(number)).replace("{session_id}", str(number))
    for name, kind in (("{memory_id}", "kept"), ("{forgotten_id}", "forgotten"), ("{promoted_id}", "promoted")):
        if name in whole:
            whole = whole.replace(name, str(running.memory_of(kind)))
    whole = whole.replace("{mask}", running.mask)
    path, body = json.loads(whole.replace("{exchange_id}", str(running.exchange)))
    if pair.row == "23":
        path += "?peek=true"  # without it, somebody asked: that is recorded
    return path, body


def send(client: httpx.Client, pair: Pair, path: str, body: Any, **headers: str) -> httpx.Response:
    content = b"" if body is None else json.dumps(body).encode()
    kind = JSON if content else {}
    return client.request(pair.method, path, content=content, headers={**kind, **headers})
