"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["health_routes"]


def health_routes(is_ready: Callable[[], bool]) -> list[Route]:
    """Return ``/health/live`` (the process answers) and ``/health/ready`` (200 while it takes requests, else 503)."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        return JSONResponse({"status": "ready"}) if is_ready() else JSONResponse({"status": "stopping"}, 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]
