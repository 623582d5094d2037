"""What the front found out about a request, for the routes behind it."""

from typing import Annotated

import msgspec
from fastapi import Depends, Request


class RequestContext(msgspec.Struct, frozen=True):
    """`request_id` is the X-Request-Id, `authorized` whether the caller may see what the management API shows. A GET
    that would be `recorded` as a use is not where it only looks: as HEAD, or as a page of another site makes a browser
    ask."""

    request_id: str
    authorized: bool
    recorded: bool = True


async def _context(request: Request) -> RequestContext:
    context = request.scope["state"]["context"]
    if not isinstance(context, RequestContext):
        raise TypeError("the front has set no context")
    return context


Context = Annotated[RequestContext, Depends(_context)]
