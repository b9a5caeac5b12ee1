"""Whether the process lives, whether it can serve, and which subgraphs are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.transport.health import HealthState, SubgraphStatus

__all__ = ["health_routes"]


def health_routes(is_ready: Callable[[], bool], subgraphs: Callable[[], Mapping[str, SubgraphStatus]]) -> list[Route]:
    """Return ``/health/live`` (the process answers) and ``/health/ready`` (200 while it takes requests, else 503).

    Args:
        is_ready: whether the process takes requests.
        subgraphs: what is known of those that are probed, which is told; one that is required and not up makes the
            gateway not ready.
    """

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        known = subgraphs()
        missing = any(item.is_required and item.state is not HealthState.UP for item in known.values())
        status = "stopping" if not is_ready() else "waiting" if missing else "ready"
        told: dict[str, Any] = {"status": status}
        if known:
            told["subgraphs"] = {name: _told(item) for name, item in known.items()}
        return JSONResponse(told, 200 if status == "ready" else 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _told(status: SubgraphStatus) -> dict[str, str]:
    told = {"status": str(status.state)}
    if status.reason is not None:
        told["reason"] = status.reason
    return told
