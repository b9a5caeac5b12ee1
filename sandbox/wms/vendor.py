"""The warehouse system's REST API; ``README.md`` beside this file describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.kit.host import Host
from sandbox.kit.rest import Handler, Refusal, bearer_guard, read_keys, read_list, read_object, read_page
from sandbox.kit.store import Store
from sandbox.wms.floor import Floor, position_json, shipments_json
from sandbox.wms.receipts import Receipts
from sandbox.wms.seed import seed
from sandbox.wms.tables import SCHEMA
from sandbox.world.model import WorldModel

__all__ = ["Wms"]


class Wms:
    """The vendor of the warehouse sandbox."""

    name = "wms"
    schema = SCHEMA

    def __init__(self) -> None:
        self._floor: Floor | None = None
        self._receipts: Receipts | None = None

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store."""
        seed(store, world)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the API."""
        self._floor = floor = Floor(host)
        self._receipts = receipts = Receipts(host, floor)
        key = host.settings.credentials.get("api_key", "")

        def route(path: str, handle: Handler, method: str) -> Route:
            return Route(path, bearer_guard(key, handle, _refused), methods=[method])

        async def warehouses(_: Request) -> Response:
            rows = host.store.query("SELECT * FROM warehouses ORDER BY code")
            return JSONResponse({"warehouses": [_warehouse(dict(row)) for row in rows]})

        async def stock(request: Request) -> Response:
            return JSONResponse(_stock_page(host.store, await read_object(request)))

        async def shipments(request: Request) -> Response:
            return JSONResponse(_shipment_page(host.store, await read_object(request)))

        async def release(request: Request) -> Response:
            is_new, made = floor.release(await read_object(request))
            return JSONResponse(made, 201 if is_new else 200)

        async def find_release(request: Request) -> Response:
            found = floor.find_release(request.query_params.get("externalKey", ""))
            return JSONResponse({"releases": [] if found is None else [found]})

        async def cancel(request: Request) -> Response:
            if not floor.cancel(request.query_params.get("externalKey", "")):
                raise Refusal(409, "PICKED", "the goods are picked already")
            return JSONResponse({"state": "CANCELLED"})

        async def hold(request: Request) -> Response:
            return JSONResponse({"state": floor.hold(request.query_params.get("externalKey", ""))})

        async def resume(request: Request) -> Response:
            return JSONResponse({"state": floor.resume(request.query_params.get("externalKey", ""))})

        async def expect(request: Request) -> Response:
            is_new, made = receipts.expect(await read_object(request))
            return JSONResponse(made, 201 if is_new else 200)

        async def expect_no_more(request: Request) -> Response:
            receipts.cancel(request.query_params.get("externalKey", ""))
            return JSONResponse({"state": "CANCELLED"})

        return [
            route("/api/v1/warehouses", warehouses, "GET"),
            route("/api/v1/stock/query", stock, "POST"),
            route("/api/v1/shipments/query", shipments, "POST"),
            route("/api/v1/releases", release, "POST"),
            route("/api/v1/releases", find_release, "GET"),
            route("/api/v1/releases", cancel, "DELETE"),
            route("/api/v1/returns", expect, "POST"),
            route("/api/v1/returns", expect_no_more, "DELETE"),
            route("/api/v1/releases/hold", hold, "POST"),
            route("/api/v1/releases/resume", resume, "POST"),
        ]

    def failure(self, status: int, message: str) -> Response:
        """Return an error of the API."""
        code = {404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS", 503: "UNAVAILABLE"}.get(status, "FAILED")
        return _refused(Refusal(status, code, message))

    async def work(self, host: Host) -> None:
        """Pick, pack and ship, receive and inspect as time passes."""
        del host
        if self._floor is not None and self._receipts is not None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._floor.work())
                tasks.create_task(self._receipts.work())


def _refused(refusal: Refusal) -> Response:
    return JSONResponse({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status)


def _warehouse(row: dict[str, Any]) -> dict[str, Any]:
    address = {name: row[column] for name, column in _ADDRESS.items()}
    return {
        "code": row["code"],
        "name": row["name"],
        "address": address,
        "timeZone": row["time_zone"],
        "cutoff": row["cutoff"],
        "status": row["status"],
    }


_ADDRESS = {
    "line1": "line1",
    "city": "city",
    "region": "region",
    "postalCode": "postal_code",
    "country": "country",
    "gln": "gln",
}


def _stock_page(store: Store, query: Mapping[str, Any]) -> dict[str, Any]:
    where = {"sku": read_keys(query, {"skus": "sku"})[1], "warehouse": read_list(query, "warehouses")}
    rows, cursor = read_page(
        store, "stock", "sku || '/' || warehouse", {column: values for column, values in where.items() if values}, query
    )
    return {"positions": [position_json(row) for row in rows], "next": cursor}


def _shipment_page(store: Store, query: Mapping[str, Any]) -> dict[str, Any]:
    column, values = read_keys(query, {"numbers": "number", "orderRefs": "order_ref"})
    rows, cursor = read_page(store, "shipments", "number", {column: values}, query)
    return {"shipments": shipments_json(store, [row["number"] for row in rows]), "next": cursor}
