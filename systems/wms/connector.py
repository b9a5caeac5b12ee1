"""The warehouse floor over the warehouse system's REST API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, Self, TypeVar
from urllib.parse import quote

from schema.enums import SourceSystem
from schema.records.inventory import StockPosition, Warehouse
from schema.records.orders import Shipment
from systems.client import ClientSettings, VendorClient
from systems.errors import Conflict, NotFound, Unavailable, Unexpected
from systems.ports import CallObserver, ReleaseRequest, ReleaseResult
from systems.wms.records import read_position, read_shipment, read_warehouse

__all__ = ["Wms", "WmsSettings"]

MAX_LIST = 500
"""Values of one list that the vendor takes; more are asked for in further calls."""

MAX_PAGES = 200
"""Pages of one question; a vendor that goes on for longer is broken."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WmsSettings:
    """How to reach the warehouse system."""

    base_url: str
    api_key: str = field(repr=False)
    timeout_s: float = 5.0
    max_connections: int = 20


class Wms:
    """:class:`systems.ports.WarehouseFloor`; opened with ``async with``."""

    def __init__(self, settings: WmsSettings, *, observer: CallObserver | None = None) -> None:
        proof = {"authorization": f"Bearer {settings.api_key}"}

        async def authorize(_: bool) -> Mapping[str, str]:
            return proof

        self._client = VendorClient(
            SourceSystem.WMS,
            ClientSettings(settings.base_url, settings.timeout_s, settings.max_connections),
            authorize=authorize,
            read_refusal=_refusal,
            observer=observer,
        )

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._client.__aexit__()

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse by code."""
        answer = await self._client.get("warehouses", "/api/v1/warehouses")
        return _read("warehouses", answer.body, lambda body: tuple(read_warehouse(row) for row in body["warehouses"]))

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        """Return positions of these skus, by sku and warehouse."""
        found: list[StockPosition] = []
        for chunk in _chunks(skus):
            query: dict[str, Any] = {"skus": chunk}
            if warehouse_codes is not None:
                query["warehouses"] = list(warehouse_codes)
            async for body in self._pages("stock", "/api/v1/stock/query", query):
                found += _read("stock", body, lambda page: [read_position(row) for row in page["positions"]])
        return tuple(sorted(found, key=lambda position: (position.sku, position.warehouse_code)))

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        """Return shipments by platform id."""
        numbers = [platform_id.removeprefix("sh_") for platform_id in ids if platform_id.startswith("sh_")]
        return {shipment.id: shipment for shipment in await self._shipments("numbers", numbers)}

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        """Return shipments per order, oldest first."""
        found: dict[str, list[Shipment]] = {order_id: [] for order_id in order_ids}
        for shipment in await self._shipments("orderRefs", order_ids):
            found[shipment.order_id].append(shipment)
        return {
            order_id: tuple(sorted(shipments, key=lambda shipment: shipment.number))
            for order_id, shipments in found.items()
        }

    async def release(self, request: ReleaseRequest) -> ReleaseResult:
        """Release an order for picking, or return what its key released before.

        The vendor takes the key, so sending again after an unknown outcome finds what the first request made.
        """
        due = request.requested_delivery
        body = {
            "externalKey": request.key,
            "orderRef": request.order_id,
            "orderNumber": request.order_number,
            "accountRef": request.account_id,
            "warehouse": request.warehouse_code,
            "shipTo": request.ship_to_id,
            "shipDate": request.ship_date.isoformat(),
            "requestedDelivery": None if due is None else datetime.combine(due, time(17), UTC).isoformat(),
            "lines": [
                {"lineNo": line.line_no, "sku": line.sku, "quantity": str(line.quantity), "uom": line.uom}
                for line in request.lines
            ],
        }
        answer = await self._client.send("release", "POST", "/api/v1/releases", body)
        return _read("release", answer.body, _release)

    async def cancel_release(self, key: str) -> bool:
        """Cancel a release. Return False when it was picked already and stays; cancelling twice is True twice."""
        try:
            await self._client.send("cancel release", "DELETE", f"/api/v1/releases?externalKey={quote(key, safe='')}")
        except Conflict:
            return False
        except NotFound:
            return True
        return True

    async def _shipments(self, name: str, values: Sequence[str]) -> list[Shipment]:
        found: list[Shipment] = []
        for chunk in _chunks(values):
            async for body in self._pages("shipments", "/api/v1/shipments/query", {name: chunk}):
                found += _read("shipments", body, lambda page: [read_shipment(row) for row in page["shipments"]])
        return found

    async def _pages(self, operation: str, path: str, query: Mapping[str, Any]) -> AsyncIterator[Any]:
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            body = (await self._client.query(operation, path, {**query, "cursor": cursor})).body
            yield body
            cursor = body.get("next") if isinstance(body, dict) else None
            if cursor is None:
                return
        raise Unexpected(SourceSystem.WMS, operation, f"more than {MAX_PAGES} pages")


def _release(body: Mapping[str, Any]) -> ReleaseResult:
    return ReleaseResult(body["id"], body["shipmentNumber"], body["state"])


def _read(operation: str, body: Any, read: Callable[[Any], T]) -> T:
    try:
        return read(body)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        message = f"the answer has not the agreed shape: {type(error).__name__} {error}"
        if operation == "release":
            raise Unavailable(SourceSystem.WMS, operation, message, outcome_unknown=True) from error
        raise Unexpected(SourceSystem.WMS, operation, message) from error


def _refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    return body["error"]["code"], body["error"]["message"], ()


def _chunks(values: Sequence[str]) -> list[list[str]]:
    distinct = list(dict.fromkeys(values))
    return [distinct[start : start + MAX_LIST] for start in range(0, len(distinct), MAX_LIST)]
