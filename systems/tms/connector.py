"""The transport desk over the transport system's REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Self

from schema.enums import SourceSystem
from schema.records.orders import Tracking
from systems.bulk import BulkReader
from systems.client import ClientSettings, VendorClient
from systems.ports import CallObserver, TenderRequest
from systems.tms.records import read_tracking

__all__ = ["Tms", "TmsSettings"]


@dataclass(frozen=True, slots=True)
class TmsSettings:
    """How to reach the transport system."""

    base_url: str
    api_key: str = field(repr=False)
    timeout_s: float = 5.0
    max_connections: int = 20
    budget_s: float | None = None


class Tms:
    """:class:`systems.ports.TransportDesk`; opened with ``async with``."""

    def __init__(self, settings: TmsSettings, *, observer: CallObserver | None = None) -> None:
        proof = {"authorization": f"Bearer {settings.api_key}"}

        async def authorize(_: bool) -> Mapping[str, str]:
            return proof

        self._client = VendorClient(
            SourceSystem.TMS,
            ClientSettings(settings.base_url, settings.timeout_s, settings.max_connections, budget_s=settings.budget_s),
            authorize=authorize,
            read_refusal=_refusal,
            observer=observer,
        )
        self._bulk = BulkReader(SourceSystem.TMS, self._client)

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._client.__aexit__()

    async def tracking(self, shipment_numbers: Sequence[str]) -> Mapping[str, Tracking]:
        """Return tracking by shipment number; shipments that were not tendered yet are absent."""
        found = await self._bulk.rows(
            "tracking", "/v2/loads/query", ("shipmentNumbers", shipment_numbers), ("loads", read_tracking)
        )
        return {tracking.shipment_number: tracking for tracking in found}

    async def tender(self, request: TenderRequest) -> Tracking:
        """Give a packed shipment to a carrier, or return the load that its key tendered before.

        The vendor takes the key, so sending again after an unknown outcome finds what the first request made.

        Raises:
            Conflict: the key tendered another shipment, or the shipment was tendered under another key.
        """
        due = request.deliver_by
        body = {
            "externalKey": request.key,
            "shipmentNumber": request.shipment_number,
            "orderRef": request.order_id,
            "accountRef": request.account_id,
            "origin": request.warehouse_code,
            "destination": request.ship_to_id,
            "readyAt": request.ready_at.astimezone(UTC).isoformat(),
            "deliverBy": None if due is None else due.astimezone(UTC).isoformat(),
        }
        answer = await self._client.send("tender", "POST", "/v2/loads", body)
        return self._bulk.read("tender", answer.body, read_tracking, is_write=True)

    async def by_tracking_number(self, tracking_number: str) -> Tracking | None:
        """Return the load that a carrier tracks under this number."""
        if not tracking_number:
            return None
        answer = await self._client.get("tracking number", "/v2/loads", {"trackingNumber": tracking_number})
        loads = self._bulk.read(
            "tracking number", answer.body, lambda body: [read_tracking(row) for row in body["loads"]]
        )
        return next((load for load in loads if load.tracking_number == tracking_number), None)


def _refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    return body["code"], body["detail"], ()
