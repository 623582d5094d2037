"""What a server in process needs to give masked texts back: passed in by api/wiring.py."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from gateway.excerpts import Excerpt
from gateway.tools import Caller


class NotThere(Exception):
    """Nothing can be given back; the message is for the model that asked."""


class Retrieved(msgspec.Struct, frozen=True):
    """`hash` is the sha256 of `text`; `selection` are the lines that were asked for, None where no lines
    were."""

    hash: str
    text: str
    selection: Excerpt | None


class Retrieve(Protocol):
    """`named` is the hash of a mask or its beginning, as it stands in the text; `lines` is a range "from-to" (from 1)
    or one number, `grep` a text; both select lines. Raises NotThere. It is recorded that the model asked."""

    def __call__(self, caller: Caller, named: str, lines: str | None, grep: str | None) -> Awaitable[Retrieved]: ...
