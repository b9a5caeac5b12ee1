"""The transport desk over the transport system's REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from schema.enums import SourceSystem
from schema.records.orders import Tracking
from systems.client import ClientSettings, VendorClient
from systems.errors import Unavailable, Unexpected
from systems.ports import CallObserver, TenderRequest
from systems.tms.records import read_tracking

__all__ = ["Tms", "TmsSettings"]

MAX_LIST = 500
"""Shipments that the vendor takes in one question; more are asked for in further calls."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TmsSettings:
    """How to reach the transport system."""

    base_url: str
    api_key: str = field(repr=False)
    timeout_s: float = 5.0
    max_connections: int = 20


class Tms:
    """:class:`systems.ports.TransportDesk`; opened with ``async with``."""

    def __init__(self, settings: TmsSettings, *, observer: CallObserver | None = None) -> None:
        proof = {"authorization": f"Bearer {settings.api_key}"}

        async def authorize(_: bool) -> Mapping[str, str]:
            return proof

        self._client = VendorClient(
            SourceSystem.TMS,
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

    async def tracking(self, shipment_numbers: Sequence[str]) -> Mapping[str, Tracking]:
        """Return tracking by shipment number; shipments that were not tendered yet are absent."""
        found: dict[str, Tracking] = {}
        distinct = list(dict.fromkeys(shipment_numbers))
        for start in range(0, len(distinct), MAX_LIST):
            query = {"shipmentNumbers": distinct[start : start + MAX_LIST]}
            answer = await self._client.query("tracking", "/v2/loads/query", query)
            for tracking in _read("tracking", answer.body, _loads):
                found[tracking.shipment_number] = tracking
        return found

    async def by_tracking_number(self, tracking_number: str) -> Tracking | None:
        """Return the load that a carrier tracks under this number."""
        answer = await self._client.get("tracking number", "/v2/loads", {"trackingNumber": tracking_number})
        loads = _read("tracking number", answer.body, _loads)
        return loads[0] if loads else None

    async def tender(self, request: TenderRequest) -> Tracking:
        """Give a packed shipment to a carrier, or return the load that its key tendered before.

        The vendor takes the key, so sending again after an unknown outcome finds what the first request made.
        """
        body = {
            "externalKey": request.key,
            "shipmentNumber": request.shipment_number,
            "orderRef": request.order_id,
            "accountRef": request.account_id,
            "origin": request.warehouse_code,
            "destination": request.ship_to_id,
            "readyAt": request.ready_at.isoformat(),
            "deliverBy": None if request.deliver_by is None else request.deliver_by.isoformat(),
        }
        answer = await self._client.send("tender", "POST", "/v2/loads", body)
        try:
            return read_tracking(answer.body)
        except (KeyError, TypeError, ValueError) as error:
            message = f"the answer has not the agreed shape: {type(error).__name__} {error}"
            raise Unavailable(SourceSystem.TMS, "tender", message, outcome_unknown=True) from error


def _loads(body: Mapping[str, Any]) -> list[Tracking]:
    return [read_tracking(row) for row in body["loads"]]


def _read(operation: str, body: Any, read: Callable[[Any], T]) -> T:
    try:
        return read(body)
    except (KeyError, TypeError, ValueError) as error:
        message = f"the answer has not the agreed shape: {type(error).__name__} {error}"
        raise Unexpected(SourceSystem.TMS, operation, message) from error


def _refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    return body["code"], body["detail"], ()
