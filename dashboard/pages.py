"""The pages: static files that work on the public API alone, each with its security headers (contract 1.6)."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
HTML_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def mount_pages(app: Starlette, *, docs: bool) -> None:
    """Add `/`, `/favicon.ico` and `/static`; with `docs` also `/docs` and `/redoc`, which show /openapi.json."""
    app.router.routes += [
        Route("/", _index),
        Route("/favicon.ico", _icon),
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
    ]
    if docs:
        app.router.routes += [Route("/docs", _docs), Route("/redoc", _docs)]


async def _index(_: Request) -> FileResponse:
    return FileResponse(STATIC / "index.html", headers=HTML_HEADERS)


async def _docs(_: Request) -> FileResponse:
    return FileResponse(STATIC / "docs.html", headers=HTML_HEADERS)


async def _icon(_: Request) -> FileResponse:
    return FileResponse(STATIC / "favicon.ico", media_type="image/x-icon", headers={"Cache-Control": "max-age=86400"})
