"""What is wanted of the transport system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schema.records.orders import Tracking


@dataclass(frozen=True, slots=True)
class TenderRequest:
    """A shipment to move. ``key`` is ``sh:{number}:tender``."""

    key: str
    shipment_number: str
    order_id: str
    account_id: str
    warehouse_code: str
    ship_to_id: str
    ready_at: datetime
    deliver_by: datetime | None


class TransportDesk(Protocol):
    """Loads and milestones. System of record: TMS and carriers."""

    async def tracking(self, shipment_numbers: Sequence[str]) -> Mapping[str, Tracking]:
        """Return tracking by shipment number; shipments that were not tendered yet are absent."""
        ...

    async def tender(self, request: TenderRequest) -> Tracking:
        """Give a packed shipment to a carrier, or return the load that its key tendered before."""
        ...

    async def by_tracking_number(self, tracking_number: str) -> Tracking | None:
        """Return the load that a carrier tracks under this number."""
        ...
