"""What the inventory subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass

from events.ports import EventLog
from systems.ports import Clock, CustomerMaster, ItemMaster, KeyRegistry, ReservationLedger, WarehouseFloor

__all__ = ["InventoryPorts"]


@dataclass(frozen=True, slots=True)
class InventoryPorts:
    """Ports of the inventory subgraph.

    Attributes:
        warehouse: warehouses and stock.
        items: inbound supply, and units of items that are reserved.
        customers: delivery places.
        reservations: the ledger of soft reservations.
        keys: client idempotency keys.
        events: the event log.
        clock: where time comes from.
    """

    warehouse: WarehouseFloor
    items: ItemMaster
    customers: CustomerMaster
    reservations: ReservationLedger
    keys: KeyRegistry
    events: EventLog
    clock: Clock
