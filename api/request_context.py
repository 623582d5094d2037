"""What the front found out about a request, for the routes behind it."""

from typing import Annotated

import msgspec
from fastapi import Depends, Request


class RequestContext(msgspec.Struct, frozen=True):
    """`request_id` is the X-Request-Id, `authorized` whether the caller may see what the management API shows."""

    request_id: str
    authorized: bool


async def _context(request: Request) -> RequestContext:
    context = request.scope["state"]["context"]
    if not isinstance(context, RequestContext):
        raise TypeError("the front has set no context")
    return context


Context = Annotated[RequestContext, Depends(_context)]
