"""The transport system's REST API; ``README.md`` beside this file describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.kit.host import Host
from sandbox.kit.rest import Handler, Refusal, bearer_guard, read_object
from sandbox.kit.store import Store
from sandbox.tms.loads import Loads
from sandbox.tms.seed import seed
from sandbox.tms.tables import SCHEMA
from sandbox.world.model import WorldModel

__all__ = ["Tms"]

MAX_LIST = 500
"""Values of one list in a query; a shipment has one load, so this bounds the answer too."""


class Tms:
    """The vendor of the transport sandbox."""

    name = "tms"
    schema = SCHEMA

    def __init__(self) -> None:
        self._loads: Loads | None = None

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store."""
        seed(store, world)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the API."""
        self._loads = loads = Loads(host)
        key = host.settings.credentials.get("api_key", "")

        def route(path: str, handle: Handler, method: str) -> Route:
            return Route(path, bearer_guard(key, handle, _refused), methods=[method])

        async def tender(request: Request) -> Response:
            is_new, load = loads.tender(await read_object(request))
            return JSONResponse(load, 201 if is_new else 200)

        async def query(request: Request) -> Response:
            numbers = _texts(await read_object(request), "shipmentNumbers")
            return JSONResponse({"loads": _find(host.store, loads, "shipment", numbers)})

        async def find(request: Request) -> Response:
            number = request.query_params.get("trackingNumber", "")
            return JSONResponse({"loads": _find(host.store, loads, "tracking_number", [number])})

        async def report(request: Request) -> Response:
            return JSONResponse(loads.report(request.path_params["load_id"], await read_object(request)), 201)

        return [
            route("/v2/loads", tender, "POST"),
            route("/v2/loads", find, "GET"),
            route("/v2/loads/query", query, "POST"),
            route("/v2/loads/{load_id}/milestones", report, "POST"),
        ]

    def failure(self, status: int, message: str) -> Response:
        """Return an error of the API."""
        code = {404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS", 503: "UNAVAILABLE"}.get(status, "FAILED")
        return _refused(Refusal(status, code, message))

    async def work(self, host: Host) -> None:
        """Move loads on as time passes."""
        del host
        if self._loads is not None:
            await self._loads.work()


def _refused(refusal: Refusal) -> Response:
    return JSONResponse({"code": refusal.code, "detail": refusal.message}, refusal.status)


def _find(store: Store, loads: Loads, column: str, values: Sequence[str]) -> list[dict[str, Any]]:
    marks = ", ".join("?" for _ in values)
    rows = store.query(f"SELECT id FROM loads WHERE {column} IN ({marks}) ORDER BY id", values)  # noqa: S608 - a column of ours
    return loads.show([row["id"] for row in rows]) if rows else []


def _texts(query: Any, name: str) -> list[str]:
    given = query.get(name)
    if isinstance(given, list) and 0 < len(given) <= MAX_LIST and all(isinstance(text, str) for text in given):
        return given
    raise Refusal(422, "BAD_LIST", f"{name} must be a list of 1 to {MAX_LIST} texts")
