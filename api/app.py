"""The FastAPI application: everything that is no completion."""

import asyncio

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Route

from api import (
    budgets,
    cline,
    compaction,
    compaction_views,
    compression,
    diagnostic,
    diff,
    erasing,
    errors,
    events,
    exchanges,
    exports,
    forking,
    health,
    ledgers,
    log_sizes,
    masks,
    mcp_calls,
    mcp_gateway,
    mcp_servers,
    memory,
    memory_compression,
    memory_stats,
    memory_upkeep,
    messages,
    metrics,
    moving,
    pins,
    prices,
    projections,
    providers,
    session_usage,
    sessions,
    settings,
    timeline,
    usage,
)
from api.description import DescribedApp, Guard
from api.operation_pages import ABOUT
from api.services import Services
from api.static_segments import guards
from dashboard.pages import mount_pages

_TITLE = "Chronoproxy"
_ROOMS = (
    mcp_gateway,  # first: its calls are many, and each route is tried in turn
    diagnostic,
    sessions,
    erasing,
    moving,
    forking,
    diff,
    messages,
    timeline,
    exchanges,
    events,
    exports,
    masks,
    mcp_calls,
    mcp_servers,
    pins,
    memory,
    memory_compression,
    memory_stats,
    memory_upkeep,
    compaction_views,
    compaction,
    compression,
    providers,
    settings,
    projections,
    log_sizes,
    cline,
    ledgers,
    usage,
    session_usage,
    prices,
    health,
    budgets,
    metrics,
)
_ROUTERS = tuple(room.router for room in _ROOMS)


def make_app(services: Services) -> DescribedApp:
    """The application over `services`. It must stand behind `api.front.Front`, which lets requests in."""
    app = DescribedApp(
        title=_TITLE,
        description=ABOUT,
        version=services.version,
        openapi_url=None,  # our own route below answers without making it each time
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    own = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    app.described_routes = own
    app.guard = Guard(services.asks_token, services.asks_token or services.asks_keys)
    for router in (guards(own), *_ROUTERS):
        app.include_router(router)
    app.router.routes.append(Route("/openapi.json", _description))
    mount_pages(app, docs=services.docs)
    errors.install(app, services.redact)
    return app


async def _description(request: Request) -> Response:
    body = await asyncio.to_thread(request.app.described)  # made once: a second of work that must hold up nobody
    return Response(body, media_type="application/json")
