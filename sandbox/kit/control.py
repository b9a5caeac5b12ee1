"""Routes under ``/_sandbox`` by which people and tests steer a sandbox; they are no part of the vendor's protocol."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.kit.faults import FaultInjector, FaultProfile, read_profile

if TYPE_CHECKING:
    from sandbox.kit.host import Host

__all__ = ["PREFIX", "CallCounter", "control_routes"]

PREFIX = "/_sandbox"

MAX_COUNTED = 1_000
"""Different requests that are counted one by one; others are counted as ``other``."""


class CallCounter:
    """ASGI middleware that counts requests by method and path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.counts: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request and pass it on."""
        if scope["type"] == "http":
            key = f"{scope['method']} {scope['path']}"
            if key not in self.counts and len(self.counts) >= MAX_COUNTED:
                key = "other"
            self.counts[key] = self.counts.get(key, 0) + 1
        await self._app(scope, receive, send)


def control_routes(host: Host, faults: FaultInjector, calls: CallCounter) -> list[Route]:
    """Return ``health``, ``faults``, ``clock``, ``calls`` and ``webhooks``."""

    async def health(_: Request) -> Response:
        return JSONResponse(
            {"name": host.name, "status": "ok", "down": faults.is_down(), "now": host.clock.now().isoformat()}
        )

    async def fault_profile(request: Request) -> Response:
        if request.method == "DELETE":
            faults.use(FaultProfile())
        elif request.method == "PUT":
            faults.use(read_profile(await _json(request)))
        return JSONResponse({"faults": repr(faults.profile), "down": faults.is_down()})

    async def clock(request: Request) -> Response:
        if request.method == "PUT":
            given = await _json(request)
            _only(given, ("speed", "advance_s"))
            if "speed" in given:
                host.clock.set_speed(_float(given, "speed"))
            if "advance_s" in given:
                host.clock.advance(timedelta(seconds=_float(given, "advance_s")))
        return JSONResponse({"now": host.clock.now().isoformat(), "speed": host.clock.speed})

    async def count(request: Request) -> Response:
        if request.method == "DELETE":
            calls.counts.clear()
        return JSONResponse({"total": sum(calls.counts.values()), "calls": dict(sorted(calls.counts.items()))})

    async def webhooks(request: Request) -> Response:
        retried = host.webhooks.retry_failed() if request.method == "POST" else 0
        return JSONResponse({**host.webhooks.counts(), "retried": retried})

    return [
        Route(f"{PREFIX}/health", health),
        Route(f"{PREFIX}/faults", _checked(fault_profile), methods=["GET", "PUT", "DELETE"]),
        Route(f"{PREFIX}/clock", _checked(clock), methods=["GET", "PUT"]),
        Route(f"{PREFIX}/calls", count, methods=["GET", "DELETE"]),
        Route(f"{PREFIX}/webhooks", webhooks, methods=["GET", "POST"]),
    ]


def _checked(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        try:
            return await handle(request)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return checked


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def _only(given: object, accepted: tuple[str, ...]) -> None:
    if not isinstance(given, dict) or set(given) - set(accepted):
        raise ValueError(f"give an object with the keys {', '.join(accepted)}")


def _float(given: dict[str, Any], name: str) -> float:
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: give a number")  # noqa: TRY004 - all bad input is one kind here
    return float(value)
