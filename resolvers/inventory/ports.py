"""What the inventory subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from events.ports import EventLog
from processes.fallbacks import FALLBACKS, Operation
from resolvers.timing import Served, untold
from schema.enums import SourceSystem
from systems.memory import Memory
from systems.ports import Clock, CustomerMaster, ItemMaster, KeyRegistry, ReservationLedger, StockBook, WarehouseFloor

__all__ = ["InventoryPorts"]

ERP_WITHIN = FALLBACKS[SourceSystem.CLOUD_ERP, Operation.PROMISE].within or timedelta()
"""How old items and delivery places may be that a promise is made with."""


@dataclass(frozen=True, slots=True)
class InventoryPorts:
    """Ports of the inventory subgraph.

    Attributes:
        warehouse: warehouses and stock.
        stock: stock as the warehouse system last told it, for events.
        items: inbound supply, and units of items that are reserved.
        customers: delivery places.
        reservations: the ledger of soft reservations.
        keys: client idempotency keys.
        events: the event log.
        clock: where time comes from.
        served: is told how long each promise took.
        memory: what the ERP said last of items and delivery places, for when it is out.
    """

    warehouse: WarehouseFloor
    stock: StockBook
    items: ItemMaster
    customers: CustomerMaster
    reservations: ReservationLedger
    keys: KeyRegistry
    events: EventLog
    clock: Clock
    served: Served = untold
    memory: Memory = field(default_factory=lambda: Memory(ERP_WITHIN))
