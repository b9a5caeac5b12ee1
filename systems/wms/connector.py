"""The warehouse floor over the warehouse system's REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, Self
from urllib.parse import quote

from schema.enums import SourceSystem
from schema.records.inventory import StockPosition, Warehouse
from schema.records.orders import Shipment
from schema.records.returns import ExpectedReturn
from systems.bulk import BulkReader
from systems.client import ClientSettings, VendorClient
from systems.errors import Conflict, NotFound
from systems.ports import CallObserver, HoldOutcome, ReleaseRequest, ReleaseResult
from systems.wms.records import read_position, read_shipment, read_warehouse

__all__ = ["Wms", "WmsSettings"]


@dataclass(frozen=True, slots=True)
class WmsSettings:
    """How to reach the warehouse system."""

    base_url: str
    api_key: str = field(repr=False)
    timeout_s: float = 5.0
    max_connections: int = 20
    budget_s: float | None = None


class Wms:
    """:class:`systems.ports.WarehouseFloor`; opened with ``async with``."""

    def __init__(self, settings: WmsSettings, *, observer: CallObserver | None = None) -> None:
        proof = {"authorization": f"Bearer {settings.api_key}"}

        async def authorize(_: bool) -> Mapping[str, str]:
            return proof

        self._client = VendorClient(
            SourceSystem.WMS,
            ClientSettings(settings.base_url, settings.timeout_s, settings.max_connections, budget_s=settings.budget_s),
            authorize=authorize,
            read_refusal=_refusal,
            observer=observer,
        )
        self._bulk = BulkReader(SourceSystem.WMS, self._client)

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
        return self._bulk.read(
            "warehouses", answer.body, lambda body: tuple(read_warehouse(row) for row in body["warehouses"])
        )

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        """Return positions of these skus, by sku and warehouse."""
        if warehouse_codes is not None and not warehouse_codes:
            return ()
        more = {} if warehouse_codes is None else {"warehouses": list(warehouse_codes)}
        found = await self._bulk.rows(
            "stock", "/api/v1/stock/query", ("skus", skus), ("positions", read_position), **more
        )
        return tuple(sorted(found, key=lambda position: (position.sku, position.warehouse_code)))

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        """Return shipments by platform id."""
        numbers = [platform_id.removeprefix("sh_") for platform_id in ids if platform_id.startswith("sh_")]
        return {shipment.id: shipment for shipment in await self._shipments("numbers", numbers)}

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        """Return shipments per order, oldest first."""
        found: dict[str, list[Shipment]] = {order_id: [] for order_id in order_ids}
        for shipment in await self._shipments("orderRefs", order_ids):
            if shipment.order_id in found:
                found[shipment.order_id].append(shipment)
        # Numbers count up, so the shorter one is older.
        return {
            order_id: tuple(sorted(shipments, key=lambda shipment: (len(shipment.number), shipment.number)))
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
        return self._bulk.read("release", answer.body, _release, is_write=True)

    async def cancel_release(self, key: str) -> bool:
        """Cancel a release. Return False when it was picked already and stays; cancelling twice is True twice."""
        try:
            await self._client.send("cancel release", "DELETE", f"/api/v1/releases?externalKey={quote(key, safe='')}")
        except Conflict:
            return False
        except NotFound:
            return True
        return True

    async def hold_release(self, key: str) -> HoldOutcome:
        """Keep a release from being picked; holding twice holds once."""
        path = f"/api/v1/releases/hold?externalKey={quote(key, safe='')}"
        try:
            answer = await self._client.send("hold release", "POST", path)
        except Conflict:
            return HoldOutcome.PICKED
        except NotFound:
            return HoldOutcome.GONE
        return self._bulk.read("hold release", answer.body, _hold, is_write=True)

    async def resume_release(self, key: str) -> None:
        """Let a held release be picked; one that is not held stays as it is."""
        try:
            await self._client.send(
                "resume release", "POST", f"/api/v1/releases/resume?externalKey={quote(key, safe='')}"
            )
        except NotFound:
            return

    async def expect_return(self, expected: ExpectedReturn) -> None:
        """Have a warehouse expect a return, once per key."""
        body = {
            "externalKey": expected.key,
            "rmaNumber": expected.rma_number,
            "orderRef": expected.order_id,
            "accountRef": expected.account_id,
            "warehouse": expected.warehouse_code,
            "lines": [
                {
                    "lineNo": line.line_no,
                    "sku": line.sku,
                    "quantity": str(line.quantity.value),
                    "uom": line.quantity.uom,
                    "reason": line.reason,
                }
                for line in expected.lines
            ],
        }
        await self._client.send("expect return", "POST", "/api/v1/returns", body)

    async def cancel_return(self, key: str) -> bool:
        """Have a return expected no more. Return False when it has arrived already."""
        try:
            await self._client.send("cancel return", "DELETE", f"/api/v1/returns?externalKey={quote(key, safe='')}")
        except Conflict:
            return False
        except NotFound:
            return True
        return True

    async def _shipments(self, name: str, values: Sequence[str]) -> list[Shipment]:
        return await self._bulk.rows(
            "shipments", "/api/v1/shipments/query", (name, values), ("shipments", read_shipment)
        )


def _release(body: Mapping[str, Any]) -> ReleaseResult:
    return ReleaseResult(body["id"], body["shipmentNumber"], body["state"])


def _hold(body: Mapping[str, Any]) -> HoldOutcome:
    return {"HELD": HoldOutcome.HELD, "CANCELLED": HoldOutcome.GONE}[body["state"]]


def _refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    return body["error"]["code"], body["error"]["message"], ()
