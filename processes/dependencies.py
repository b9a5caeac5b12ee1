"""Everything that processes reach outside themselves, in one place: a program wires it, a test fakes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from events.ports import EventLog
from processes.rules.tokens import TokenSigner
from systems.ports import (
    AccountDirectory,
    CaseDesk,
    Clock,
    CustomerMaster,
    DeadLetterStore,
    ItemMaster,
    KeyRegistry,
    OrderBook,
    OrderLedger,
    PriceBook,
    ProcessLog,
    QuoteStore,
    ReservationLedger,
    SalesContext,
    TaskQueue,
    TransportDesk,
    WarehouseFloor,
)

__all__ = ["Crm", "Dependencies", "Erp"]


class Crm(AccountDirectory, SalesContext, CaseDesk, Protocol):
    """The CRM with all its capabilities."""


class Erp(CustomerMaster, ItemMaster, PriceBook, OrderBook, Protocol):
    """The home ERP with the capabilities that processes use."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The ports that processes use.

    Attributes:
        crm: customers, opportunities, cases.
        erp: terms and credit, items, prices, orders.
        wms: stock and shipments.
        tms: loads and milestones.
        orders: ledger of submissions.
        quotes: quotes.
        reservations: soft reservations.
        tasks: what persons must decide.
        keys: client idempotency keys.
        process_log: how each process went.
        dead_letters: messages that could not be delivered.
        events: the event log.
        clock: where time comes from.
        price_signer: signs and verifies price tokens; the same keys as where prices are shown.
    """

    crm: Crm
    erp: Erp
    wms: WarehouseFloor
    tms: TransportDesk
    orders: OrderLedger
    quotes: QuoteStore
    reservations: ReservationLedger
    tasks: TaskQueue
    keys: KeyRegistry
    process_log: ProcessLog
    dead_letters: DeadLetterStore
    events: EventLog
    clock: Clock
    price_signer: TokenSigner
