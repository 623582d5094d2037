"""The pages: static files that work on the public API alone, each with its security headers (contract 1.6)."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.files import Files

STATIC = Path(__file__).parent / "static"
HTML_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def mount_pages(app: Starlette, *, docs: bool) -> None:
    """Add `/`, `/favicon.ico` and `/static`; with `docs` also `/docs` and `/redoc`, which show /openapi.json."""
    files = Files(STATIC)

    async def index(request: Request) -> Response:
        return files.answer(request, "index.html", HTML_HEADERS)

    async def description(request: Request) -> Response:
        return files.answer(request, "docs.html", HTML_HEADERS)

    async def icon(request: Request) -> Response:
        return files.answer(request, "favicon.ico", {"Cache-Control": "max-age=86400"})

    async def static(request: Request) -> Response:
        return files.answer(request, request.path_params["name"], {})

    app.router.routes += [Route("/", index), Route("/favicon.ico", icon), Route("/static/{name:path}", static)]
    if docs:
        app.router.routes += [Route("/docs", description), Route("/redoc", description)]
