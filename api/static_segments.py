"""Static path segments win over `{session_id}` (contract 1.1): PATCH /api/sessions/active is a method that this address
does not have, not a session called "active"."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.routing import Match

from api.errors import ApiError

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}


def guards(routes: list[APIRoute]) -> APIRouter:
    """Routes that refuse, for static addresses, the methods that only an address with a parameter has. They must come
    before all others."""
    router = APIRouter()
    for path, methods in _static(routes).items():
        if any(_takes(route, path) for route in routes):
            refused = _METHODS - methods
            router.add_api_route(path, _refusing(methods), methods=sorted(refused), include_in_schema=False)
    return router


def _static(routes: list[APIRoute]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for route in routes:
        if "{" not in route.path:
            found.setdefault(route.path, set()).update(route.methods or ())
    return found


def _takes(route: APIRoute, path: str) -> bool:
    """Whether a route with parameters would take the address."""
    if "{" not in route.path:
        return False
    return any(
        route.matches({"type": "http", "path": path, "method": method, "root_path": ""})[0] is Match.FULL
        for method in route.methods or ()
    )


def _refusing(methods: set[str]) -> Callable[[Request], Awaitable[None]]:
    allowed = ", ".join(sorted({*methods, *(("HEAD",) if "GET" in methods else ())}))

    async def refuse(request: Request) -> None:
        raise ApiError(405, "method_not_allowed", f"{request.method} is not allowed here.", headers={"Allow": allowed})

    return refuse
