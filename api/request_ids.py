"""Ids for requests that bring none of their own."""

import secrets
from itertools import count


class RequestIds:
    """32 hex digits: half of them drawn at the start, half counted. They are told apart, not kept secret; asking the
    system for random bytes would give the interpreter lock away for each request."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._numbers = count(1)

    def next(self) -> str:
        """An id that no other request has, of this run or another."""
        return f"{self._prefix}{next(self._numbers):016x}"
