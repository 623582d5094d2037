"""`Idempotency-Key` (contract 1.4): a write that comes again gets the answer of the first, and appends nothing.

The scope of a key is method, path and credential, for `recording.idempotency_hours`, also over a restart. What is kept
is in schema/idempotency.py. Requests are the same that mean the same: an empty body is `{}`, members may come in any
order, and what the address ignores in its query makes no difference. X-Expected-Position is no part of a request, as a
refusal by it is not kept (writing.py).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter

import msgspec
from fastapi import Request
from fastapi.dependencies.models import Dependant

from api.details import invalid
from api.errors import ApiError, InvalidFieldError, RefusedValueError
from proxy.headers import credential
from schema.idempotency import KEPT_MS, Idempotent, Kept

HEADER = b"idempotency-key"
REPLAYED = {"Idempotent-Replayed": "true"}
_COMPARED = 1 << 20  # bytes
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")


class Keys:
    """The keys that come with requests, and which of them are being dealt with. `secret` is of this installation,
    `kept_ms` how long a key holds."""

    def __init__(self, secret: bytes, kept_ms: int = KEPT_MS) -> None:
        self._secret, self._kept_ms = secret, kept_ms
        self._running: set[bytes] = set()

    def of(self, request: Request, body: bytes) -> Idempotent | None:
        """What the request is kept under; None where it has no key. Raises InvalidFieldError."""
        headers = request.scope["headers"]
        given = [value for name, value in headers if name == HEADER]
        if not given:
            return None
        if len(given) > 1 or not _KEY.fullmatch(given[0]):
            shown = given[0].decode("latin-1")
            text = "Input should be 1-255 visible ASCII characters"
            raise InvalidFieldError([invalid("string_pattern_mismatch", ("header", "Idempotency-Key"), text, shown)])
        path = request.scope["path"].encode("utf-8", "replace")
        who = (credential(headers) or "").encode("latin-1", "replace")
        place = (request.method.encode(), path, who, given[0])
        asked = self._hash(b"request", *_query(request), _meaning(body))
        return Idempotent(self._hash(b"key", *place), asked, kept_ms=self._kept_ms)

    @contextmanager
    def running(self, key: bytes) -> Iterator[None]:
        """Raises ApiError 409 while the first request with the key is under way."""
        if key in self._running:
            raise ApiError(409, "idempotency_in_progress", "The first request with this Idempotency-Key is running.")
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    def _hash(self, *parts: bytes) -> bytes:
        """Each part with its length in front, so that no two lists of parts look alike."""
        made = hmac.new(self._secret, digestmod=hashlib.sha256)
        for part in parts:
            made.update(b"%d:" % len(part))
            made.update(part)  # of a long one other threads run meanwhile
        return made.digest()


def _query(request: Request) -> Iterator[bytes]:
    """Names and values of the query that the route reads; those of one name in their order."""
    route = request.scope.get("route")
    known = frozenset(_names(route.dependant)) if route is not None else frozenset()
    for name, value in sorted(request.query_params.multi_items(), key=itemgetter(0)):
        if name in known:
            yield name.encode("utf-8", "replace")
            yield value.encode("utf-8", "replace")


def _names(dependant: Dependant) -> Iterator[str]:
    """Of the query, for a route and all that it depends on."""
    for field in dependant.query_params:
        yield field.alias
    for inner in dependant.dependencies:
        yield from _names(inner)


def _meaning(body: bytes) -> bytes:
    """The same for all ways to write a JSON value; a large one is taken as it is written."""
    if len(body) > _COMPARED:
        return body
    try:
        return msgspec.json.encode(msgspec.json.decode(body or b"{}"), order="deterministic")
    except msgspec.MsgspecError:  # JSON that another reader took, such as one with half of a surrogate pair
        return body


def checked(kept: Kept, asked: Idempotent, key: str | None) -> Kept:
    """`kept`, where it is of the same request and was no refusal; `key` is as it was sent. Raises ApiError."""
    if kept.request != asked.request:
        text = "This Idempotency-Key was used with another request."
        raise RefusedValueError("idempotency_key_reuse", ("header", "Idempotency-Key"), text, key)
    if kept.refusal is not None:
        raise refusal_from(kept.refusal)
    return kept


def refusal_text(error: ApiError) -> str:
    """A refusal as it is kept."""
    return json.dumps([error.status, error.code, error.message, error.context], default=str)


def refusal_from(text: str) -> ApiError:
    """The same refusal again."""
    status, code, message, context = json.loads(text)
    return ApiError(status, code, message, context=context, headers=REPLAYED)
