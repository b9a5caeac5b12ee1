"""The warehouse system's REST API; ``README.md`` beside this file describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.kit.host import Host
from sandbox.kit.rest import Handler, Refusal, bearer_guard, read_object
from sandbox.kit.store import Store
from sandbox.wms.floor import Floor, position_json, shipments_json
from sandbox.wms.seed import seed
from sandbox.wms.tables import SCHEMA
from sandbox.world.model import WorldModel

__all__ = ["Wms"]

MAX_PAGE = 500
"""Rows of one page, and values of one list in a query."""


class Wms:
    """The vendor of the warehouse sandbox."""

    name = "wms"
    schema = SCHEMA

    def __init__(self) -> None:
        self._floor: Floor | None = None

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store."""
        seed(store, world)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the API."""
        self._floor = floor = Floor(host)
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

        return [
            route("/api/v1/warehouses", warehouses, "GET"),
            route("/api/v1/stock/query", stock, "POST"),
            route("/api/v1/shipments/query", shipments, "POST"),
            route("/api/v1/releases", release, "POST"),
            route("/api/v1/releases", find_release, "GET"),
            route("/api/v1/releases", cancel, "DELETE"),
        ]

    def failure(self, status: int, message: str) -> Response:
        """Return an error of the API."""
        code = {404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS", 503: "UNAVAILABLE"}.get(status, "FAILED")
        return _refused(Refusal(status, code, message))

    async def work(self, host: Host) -> None:
        """Pick, pack and ship as time passes."""
        del host
        if self._floor is not None:
            await self._floor.work()


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


def _stock_page(store: Store, query: Any) -> dict[str, Any]:
    skus = _texts(query, "skus")
    if not skus:
        raise Refusal(422, "MISSING_FIELD", "skus is required")
    where, params = [f"sku IN ({_marks(skus)})"], list(skus)
    codes = _texts(query, "warehouses")
    if codes:
        where.append(f"warehouse IN ({_marks(codes)})")
        params += codes
    return _page(store, "stock", "sku || '/' || warehouse", where, params, query, "positions", position_json)


def _shipment_page(store: Store, query: Any) -> dict[str, Any]:
    numbers, orders = _texts(query, "numbers"), _texts(query, "orderRefs")
    if bool(numbers) == bool(orders):
        raise Refusal(422, "MISSING_FIELD", "give either numbers or orderRefs")
    column, values = ("number", numbers) if numbers else ("order_ref", orders)
    page = _page(
        store, "shipments", "number", [f"{column} IN ({_marks(values)})"], list(values), query, "numbers", _number
    )
    shipments = shipments_json(store, page["numbers"]) if page["numbers"] else []
    return {"shipments": shipments, "next": page["next"]}


def _number(row: Any) -> str:
    return str(row["number"])


def _page(
    store: Store,
    table: str,
    order: str,
    where: list[str],
    params: list[Any],
    query: Any,
    name: str,
    show: Any,
) -> dict[str, Any]:
    after = query.get("cursor")
    if after is not None:
        where, params = [*where, f"{order} > ?"], [*params, str(after)]
    conditions = " AND ".join(where)
    rows = store.query(
        f"SELECT *, {order} AS page_key FROM {table} WHERE {conditions} ORDER BY {order} LIMIT {MAX_PAGE + 1}",  # noqa: S608 - names are ours
        params,
    )
    more = len(rows) > MAX_PAGE
    rows = rows[:MAX_PAGE]
    return {name: [show(row) for row in rows], "next": rows[-1]["page_key"] if more else None}


def _texts(query: Any, name: str) -> list[str]:
    given = query.get(name) or []
    if not isinstance(given, list) or len(given) > MAX_PAGE or not all(isinstance(text, str) for text in given):
        raise Refusal(422, "BAD_LIST", f"{name} must be a list of at most {MAX_PAGE} texts")
    return given


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
