"""Asking the server that owns a data directory."""

import argparse
import re
from typing import Any

import httpx

from api.cli_output import UsageError
from api.cli_places import configuration_of
from schema.appends import StoreUnavailableError

_SERVED = re.compile(r"https?://\S+$")


class Server:
    """The one that a refused lock names. Raises UsageError where it names none."""

    def __init__(self, arguments: argparse.Namespace, locked: str) -> None:
        found = _SERVED.search(locked)
        if found is None:
            raise UsageError(f"{locked}; stop it first")
        self._url, self._locked = found[0], locked
        token = configuration_of(arguments).server.token
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, answer and headers. Raises UsageError where it does not answer."""
        try:
            answer = httpx.post(f"{self._url}{path}", json=body, headers=self._headers, timeout=None, trust_env=False)
            return answer.status_code, answer.json(), dict(answer.headers)
        except (httpx.HTTPError, ValueError) as error:
            raise UsageError(f"{self._locked}, which does not answer ({type(error).__name__})") from None

    def refused(self, status: int, answer: dict[str, Any]) -> UsageError | StoreUnavailableError:
        text = f"{self._locked}, which refuses: {answer.get('error')}"
        return StoreUnavailableError(text) if status == httpx.codes.SERVICE_UNAVAILABLE else UsageError(text)


def ask(arguments: argparse.Namespace, locked: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a POST; `locked` is what the lock says of who holds it. Raises UsageError where the server cannot
    be asked or refuses, StoreUnavailableError where its files cannot be used."""
    server = Server(arguments, locked)
    status, fields, _ = server.post(path, body)
    if status != httpx.codes.OK:
        raise server.refused(status, fields)
    return fields
