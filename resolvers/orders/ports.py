"""What the orders subgraph is made over: the ports of the systems that know a part of an order."""

from __future__ import annotations

from dataclasses import dataclass

from events.ports import EventLog
from processes.api import ProcessStarter
from processes.decision_api import DecisionDesk
from systems.ports import (
    Clock,
    InvoiceBook,
    ItemMaster,
    OrderBook,
    OrderLedger,
    ProcessLog,
    QuoteStore,
    ReturnBook,
    TransportDesk,
    WarehouseFloor,
)

__all__ = ["OrderPorts"]


@dataclass(frozen=True, slots=True)
class OrderPorts:
    """Ports of the orders subgraph.

    Attributes:
        ledger: what was submitted.
        erp: orders as the home ERP holds them.
        items: units of items, asked for only where a shipment counts in another unit than the order.
        invoices: posted invoices.
        returns: RMAs.
        warehouse: shipments.
        transport: what carriers report.
        quotes: quotes.
        processes: states of processes.
        events: what happened, for subscriptions.
        starter: starts processes.
        desk: takes what persons decide.
        clock: where time comes from.
    """

    ledger: OrderLedger
    erp: OrderBook
    items: ItemMaster
    invoices: InvoiceBook
    returns: ReturnBook
    warehouse: WarehouseFloor
    transport: TransportDesk
    quotes: QuoteStore
    processes: ProcessLog
    events: EventLog
    starter: ProcessStarter
    desk: DecisionDesk
    clock: Clock
