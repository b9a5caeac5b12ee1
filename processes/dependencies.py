"""Everything that processes reach outside themselves, in one place: a program wires it, a test fakes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from events.ports import EventLog
from processes.rules.territory import TerritoryRule
from processes.rules.tokens import TokenSigner
from schema.enums import SourceSystem
from systems.ports import (
    AccountDirectory,
    AccountMerges,
    AccountRegistry,
    CaseDesk,
    Clock,
    CustomerMaster,
    CustomerRegistry,
    DeadLetterStore,
    FeedCursors,
    InvoiceBook,
    InvoiceCorrections,
    InvoicePostings,
    ItemMaster,
    KeyRegistry,
    OnboardingStore,
    OrderBook,
    OrderLedger,
    PriceBook,
    PriceChanges,
    ProcessLog,
    QuoteStore,
    ReservationLedger,
    ReturnBook,
    ReturnDesk,
    ReturnLedger,
    SalesContext,
    StockBook,
    TaskQueue,
    TransportDesk,
    WaitingLines,
    WarehouseFloor,
)

__all__ = ["Crm", "Dependencies", "Erp"]


class Crm(AccountDirectory, AccountRegistry, SalesContext, CaseDesk, Protocol):
    """The CRM with all its capabilities."""


class Erp(
    CustomerMaster,
    CustomerRegistry,
    ItemMaster,
    PriceBook,
    OrderBook,
    InvoiceBook,
    InvoiceCorrections,
    ReturnBook,
    ReturnDesk,
    Protocol,
):
    """The home ERP with the capabilities that processes use; of several ERPs that of whom it is about."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The ports that processes use.

    Attributes:
        crm: customers, opportunities, cases.
        erp: terms and credit, items, prices, orders.
        postings: what each ERP posts, in an order of its own.
        price_changes: what is changed in the price book of each ERP that logs it, in an order of its own.
        wms: stock and shipments.
        tms: loads and milestones.
        orders: ledger of submissions.
        returns: ledger of returns.
        cursors: how far feeds of other systems are read.
        quotes: quotes.
        onboardings: requests to become a customer.
        merges: accounts that were found to be the same.
        reservations: soft reservations.
        stock: stock as the warehouse system last told it.
        tasks: what persons must decide.
        keys: client idempotency keys.
        process_log: how each process went.
        lines: who waits for systems that do not answer.
        dead_letters: messages that could not be delivered.
        events: the event log.
        clock: where time comes from.
        price_signer: signs and verifies price tokens; the same keys as where prices are shown.
        territories: whose new customers are; what none of them covers a person assigns.
    """

    crm: Crm
    erp: Erp
    postings: Mapping[SourceSystem, InvoicePostings]
    price_changes: Mapping[SourceSystem, PriceChanges]
    wms: WarehouseFloor
    tms: TransportDesk
    orders: OrderLedger
    returns: ReturnLedger
    cursors: FeedCursors
    quotes: QuoteStore
    onboardings: OnboardingStore
    merges: AccountMerges
    reservations: ReservationLedger
    stock: StockBook
    tasks: TaskQueue
    keys: KeyRegistry
    process_log: ProcessLog
    lines: WaitingLines
    dead_letters: DeadLetterStore
    events: EventLog
    clock: Clock
    price_signer: TokenSigner
    territories: Sequence[TerritoryRule] = ()
