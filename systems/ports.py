"""What processes and resolvers want of systems of record: one Protocol per capability.

Rules for every port:

- Reads are bulk: ids in, a mapping out; an id that the system does not know is absent from the mapping. However many
  ids, the number of calls to the vendor is constant per page of the vendor's own limit.
- Every method raises :class:`systems.errors.ConnectorError` and nothing else of the vendor's or the HTTP library's.
- Writes carry an idempotency key and are safe to repeat: the second call finds what the first made.
- Ids are platform ids; each system carries them in an external-id field, so there is no cross-walk to keep in step.
- Writes of the platform's ledgers take ``events``: they enter the event log in the same commit as the change, or not at
  all. A write that finds its effect done already appends nothing.
- Reads of one call are consistent with each other as far as the vendor is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from schema.enums import (
    AccountStatus,
    OnboardingStatus,
    OrderStatus,
    ProcessState,
    QuoteStatus,
    ReservationStatus,
    SourceSystem,
)
from schema.events.envelope import Event
from schema.records.accounts import (
    Account,
    AccountFilter,
    AccountValues,
    Contact,
    CustomerTerms,
    Opportunity,
    ServiceCase,
    ShipTo,
    Territory,
    User,
)
from schema.records.audit import AuditEntry
from schema.records.catalog import Category, Item, ItemFilter, PriceRule
from schema.records.inventory import InboundSupply, Reservation, ReserveLine, StockPosition, Warehouse
from schema.records.invoices import PostedInvoice
from schema.records.onboarding import (
    BillingTerms,
    CustomerTrace,
    Lookalike,
    LookalikeQuery,
    NewAccount,
    NewCustomer,
    Onboarding,
)
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord, ProcessStepRecord
from schema.records.orders import (
    ErpOrder,
    ErpOrderChange,
    Invoice,
    LedgerOrder,
    NewErpOrder,
    OrderFilter,
    Quote,
    ReleaseLine,
    Return,
    ReturnLine,
    Shipment,
    Tracking,
)
from schema.records.returns import ExpectedReturn, LedgerReturn, NewReturn
from schema.records.values import Money, Page, PageRequest

__all__ = [
    "BAD_CURSOR",
    "AccountDirectory",
    "AccountRegistry",
    "AllocationResult",
    "CallObserver",
    "CaseDesk",
    "Clock",
    "CustomerMaster",
    "CustomerRegistry",
    "DeadLetterStore",
    "FeedCursors",
    "HoldOutcome",
    "InvoiceBook",
    "InvoicePostings",
    "ItemMaster",
    "KeyRegistry",
    "KeyUse",
    "OnboardingStore",
    "OrderBook",
    "OrderLedger",
    "OrderMirror",
    "PriceBook",
    "ProcessLog",
    "QuoteStore",
    "ReleaseRequest",
    "ReleaseResult",
    "ReservationLedger",
    "ReturnBook",
    "ReturnDesk",
    "ReturnLedger",
    "SalesContext",
    "StockBook",
    "SystemCall",
    "SystemHealth",
    "SystemHealthBoard",
    "TaskQueue",
    "TenderRequest",
    "TransportDesk",
    "Waiting",
    "WarehouseFloor",
]


BAD_CURSOR = "BAD_CURSOR"
"""Reason of a :class:`systems.errors.Rejected` for a cursor that the list has not given out."""


class Clock(Protocol):
    """Where time comes from, so that tests can drive it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One call that a connector made to its vendor.

    ``error_code`` is None when it succeeded; ``circuit`` is the state of the client's circuit after the call: CLOSED,
    OPEN or HALF_OPEN.
    """

    system: SourceSystem
    operation: str
    duration_s: float
    error_code: str | None
    circuit: str = "CLOSED"


class CallObserver(Protocol):
    """Told of every vendor call after it ended; must not raise and must not block."""

    def __call__(self, call: SystemCall, /) -> None:
        """Take note of one call."""
        ...


# --- CRM -----------------------------------------------------------------------------------------------------------


class AccountDirectory(Protocol):
    """Who the customers are. System of record: CRM."""

    async def accounts(self, ids: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by platform id."""
        ...

    async def accounts_by_number(self, numbers: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by customer number."""
        ...

    async def account_by_ref(self, external_id: str) -> Account | None:
        """Return the account that the CRM itself knows under ``external_id``."""
        ...

    async def search_accounts(self, where: AccountFilter, page: PageRequest) -> Page[Account]:
        """Return accounts in the order of their numbers.

        Raises:
            Rejected: with reason ``BAD_CURSOR`` when ``page.after`` is none of this list.
        """
        ...

    async def children(self, parent_ids: Sequence[str]) -> Mapping[str, tuple[Account, ...]]:
        """Return direct children per parent in the order of their numbers; a parent without children maps to ()."""
        ...

    async def contacts(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Contact, ...]]:
        """Return contacts per account by name."""
        ...

    async def contacts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contact]:
        """Return contacts by platform id."""
        ...

    async def users(self, ids: Sequence[str]) -> Mapping[str, User]:
        """Return users by platform id."""
        ...

    async def territories(self, ids: Sequence[str]) -> Mapping[str, Territory]:
        """Return territories by platform id."""
        ...


class AccountRegistry(Protocol):
    """Accounts that come to be in the CRM. The account's platform id is the key: writing again changes nothing."""

    async def lookalikes(self, who: LookalikeQuery) -> tuple[Lookalike, ...]:
        """Return accounts that share the start of a name, the postal code or the e-mail domain; at most 200."""
        ...

    async def upsert_account(self, account: NewAccount) -> Account:
        """Create the account or change it into this one, active, with its contact; return it.

        Raises:
            Rejected: the CRM refuses; ``fields`` say what.
            Unavailable: with ``outcome_unknown`` when it may have been written; repeating is safe.
        """
        ...

    async def set_account_status(self, account_id: str, status: AccountStatus) -> None:
        """Give an account another status; nothing happens when there is none."""
        ...

    async def change_account(self, account_id: str, values: AccountValues, version: int) -> None:
        """Set owner and billing address where they are given, and the version of the account.

        Raises:
            NotFound: the CRM has no such account.
            Rejected: the CRM refuses; ``fields`` say what.
        """
        ...


class SalesContext(Protocol):
    """Opportunities, and what the CRM is told about orders. System of record: CRM."""

    async def opportunities(self, ids: Sequence[str]) -> Mapping[str, Opportunity]:
        """Return opportunities by platform id."""
        ...

    async def opportunities_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Opportunity, ...]]:
        """Return every opportunity per account, latest close date first."""
        ...

    async def mirror_order(self, key: str, mirror: OrderMirror) -> None:
        """Create or update the CRM's summary of an order, found by the order's platform id."""
        ...


@dataclass(frozen=True, slots=True)
class OrderMirror:
    """What the CRM shows of an order; ``ordered_on`` is the day (UTC) on which it was submitted."""

    order_id: str
    number: str
    account_id: str
    opportunity_id: str | None
    status: OrderStatus
    total: Money
    promised_date: date | None
    po_number: str | None
    ordered_on: date


class CaseDesk(Protocol):
    """Service cases. System of record: the CRM's service part."""

    async def cases(self, ids: Sequence[str]) -> Mapping[str, ServiceCase]:
        """Return cases by platform id."""
        ...

    async def cases_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ServiceCase, ...]]:
        """Return every case per account, newest first."""
        ...

    async def open_case(
        self, key: str, *, account_id: str, order_id: str | None, subject: str, priority: str, body: str
    ) -> ServiceCase:
        """Open a case, or return the one that ``key`` opened before."""
        ...


# --- ERP -----------------------------------------------------------------------------------------------------------


class CustomerMaster(Protocol):
    """On what terms customers buy and what they owe. System of record: home ERP and finance."""

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        """Return terms and credit by account id."""
        ...

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        """Return the platform id of the account that this ERP itself knows under ``external_id``."""
        ...

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        """Return ship-tos by platform id."""
        ...

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        """Return ship-tos per account by code."""
        ...


class CustomerRegistry(Protocol):
    """Customers that come to be in ERP and finance. The account's id is the key: writing again changes nothing.

    The ERP of this deployment is its finance system too: billing of a customer is opened and closed on its card.
    """

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        """Return customers that have one of these tax numbers or GLNs; numbers are in capitals without marks."""
        ...

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        """Return whether the group has prices in the currency, None when there is no such group."""
        ...

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        """Create a customer that is blocked for invoices, with its places, or return the one created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may exist; repeating is safe.
        """
        ...

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        """Set terms and limit of a customer and lift its block.

        Raises:
            NotFound: the ERP has no such customer.
        """
        ...

    async def block_customer(self, account_id: str, blocked: str) -> None:
        """Block a customer for ``Ship``, ``Invoice`` or ``All``; nothing happens when there is none."""
        ...

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        """Return terms and billing address by account id."""
        ...

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        """Set payment terms and billing address where they are given.

        Raises:
            NotFound: the ERP has no such customer.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...


class ItemMaster(Protocol):
    """Items. System of record: the item master ERP."""

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        """Return items by sku."""
        ...

    async def item_by_gtin(self, gtin: str) -> Item | None:
        """Return the item that carries the GTIN on itself or on one of its units."""
        ...

    async def search_items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        """Return items in the order of their skus."""
        ...

    async def categories(self, ids: Sequence[str]) -> Mapping[str, Category]:
        """Return categories by platform id."""
        ...

    async def inbound(self, skus: Sequence[str]) -> Mapping[str, tuple[InboundSupply, ...]]:
        """Return open inbound supply per sku, earliest first."""
        ...


class PriceBook(Protocol):
    """Price rules. System of record: ERP."""

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        """Return every rule that may concern these skus for these accounts or groups: list, promotion, group, contract.

        Rules for a category, a brand or all items are included whenever one of the skus may fall under them.
        """
        ...

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        """Return the contract rules per account, by number."""
        ...

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth on the date, None when there is no rate."""
        ...


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """What the ERP could set aside for one line, in the line's unit. ``backorder_date`` is None when unknown."""

    line_no: int
    warehouse_code: str | None
    allocated: Decimal
    backordered: Decimal
    ship_date: date | None
    backorder_date: date | None


class OrderBook(Protocol):
    """Sales orders. System of record: home ERP."""

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by platform id."""
        ...

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by number."""
        ...

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        """Return each account's newest orders with their lines, at most ``limit`` per account, newest first."""
        ...

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        """Return orders with their lines, newest first."""
        ...

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        """Return the value of ordered, not yet invoiced quantity per account in its credit currency."""
        ...

    async def find_order(self, key: str) -> ErpOrder | None:
        """Return the order that ``key`` created, None when it created none. The look-up after an unknown outcome."""
        ...

    async def create_order(self, order: NewErpOrder) -> ErpOrder:
        """Create and accept an order, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when the document may exist.
        """
        ...

    async def cancel_order(self, key: str) -> None:
        """Cancel the order that ``key`` created; nothing happens when there is none."""
        ...

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        """Change lines of an order once per key, and return the order as it is then.

        What was set aside for a changed line is given back: ``allocate`` sets it aside anew.

        Raises:
            NotFound: there is no such order.
            Conflict: somebody else changed it at the same moment; nothing was done.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        """Set stock aside for every line, once per ``key``, and return what each line got."""
        ...

    async def deallocate(self, key: str, order_id: str) -> None:
        """Give back what ``allocate`` with this key set aside."""
        ...


class InvoiceBook(Protocol):
    """Posted invoices. System of record: ERP and finance."""

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        """Return invoices by platform id."""
        ...

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        """Return each account's newest invoices, at most ``limit`` per account."""
        ...

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        """Return invoices per order, oldest first."""
        ...


class InvoicePostings(Protocol):
    """Invoices in the order of their posting. System of record: ERP and finance."""

    async def posted_after(self, entry: int, limit: int) -> tuple[PostedInvoice, ...]:
        """Return at most ``limit`` invoices that were posted after this entry, the earliest first."""
        ...


class ReturnBook(Protocol):
    """Returns. System of record: home ERP."""

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        """Return RMAs by platform id."""
        ...

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per order, oldest first."""
        ...

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per account, newest first."""
        ...


class ReturnDesk(Protocol):
    """Writes of returns; each is done once per key. System of record: home ERP."""

    async def create_return(self, new: NewReturn) -> Return:
        """Create a released return, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...

    async def cancel_return(self, number: str) -> None:
        """Cancel a return of which nothing has come back; nothing happens when there is none.

        Raises:
            Rejected: goods have come back already.
        """
        ...

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        """Note what came back and where it goes."""
        ...

    async def credit_return(self, key: str, number: str) -> Money:
        """Credit what came back, and return how much that is."""
        ...

    async def replace_return(self, key: str, number: str) -> None:
        """Close a return without a credit, because an order replaces what came back."""
        ...


# --- WMS and TMS ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Goods of one order to pick at one warehouse. ``key`` is ``or:{id}:rel:{wh}:{n}``."""

    key: str
    order_id: str
    order_number: str
    account_id: str
    warehouse_code: str
    ship_to_id: str
    ship_date: date
    requested_delivery: date | None
    lines: tuple[ReleaseLine, ...]


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """What the WMS made of a release."""

    release_id: str
    shipment_number: str
    state: str


class HoldOutcome(StrEnum):
    """What became of holding a release."""

    HELD = "HELD"
    """Nobody picks it until it is resumed."""

    PICKED = "PICKED"
    """It is being picked already, or further, and goes on."""

    GONE = "GONE"
    """There is nothing to hold: it was never released, or is cancelled."""


class WarehouseFloor(Protocol):
    """Stock and shipments. System of record: WMS."""

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse by code."""
        ...

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        """Return positions of these skus, by sku and warehouse; ``warehouse_codes`` None means every warehouse."""
        ...

    async def release(self, request: ReleaseRequest) -> ReleaseResult:
        """Release an order for picking, or return what its key released before."""
        ...

    async def cancel_release(self, key: str) -> bool:
        """Cancel a release. Return False when it was picked already and stays."""
        ...

    async def hold_release(self, key: str) -> HoldOutcome:
        """Keep a release from being picked until it is resumed or cancelled; safe to repeat."""
        ...

    async def resume_release(self, key: str) -> None:
        """Let a held release be picked; one that is not held, or unknown, stays as it is."""
        ...

    async def expect_return(self, expected: ExpectedReturn) -> None:
        """Have a warehouse expect a return, once per key."""
        ...

    async def cancel_return(self, key: str) -> bool:
        """Have a return expected no more. Return False when it has arrived already."""
        ...

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        """Return shipments by platform id."""
        ...

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        """Return shipments per order, oldest first."""
        ...


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


# --- The platform's own ledgers ------------------------------------------------------------------------------------


class OrderLedger(Protocol):
    """Submitted orders. System of record: platform."""

    async def next_number(self) -> str:
        """Return a new order number (``SO-`` and six digits), never given twice."""
        ...

    async def create(self, order: LedgerOrder, events: Sequence[Event] = ()) -> LedgerOrder:
        """Record a submitted order, or return the one with the same id recorded before."""
        ...

    async def find_duplicate_po(self, account_id: str, po_number: str, since: datetime, not_id: str) -> str | None:
        """Return the id of another order of the account with this PO number since then that was not rejected."""
        ...

    async def update(self, order: LedgerOrder, events: Sequence[Event] = ()) -> LedgerOrder:
        """Write the order when the stored version is ``order.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def orders(self, ids: Sequence[str]) -> Mapping[str, LedgerOrder]:
        """Return orders by platform id."""
        ...

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, LedgerOrder]:
        """Return orders by number."""
        ...

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[LedgerOrder, ...]]:
        """Return each account's newest submitted orders, at most ``limit`` per account, newest first."""
        ...

    async def search_orders(self, where: OrderFilter, limit: int) -> tuple[LedgerOrder, ...]:
        """Return submitted orders, newest first."""
        ...

    async def open_exposure(self, account_id: str, not_order_id: str) -> tuple[Money, ...]:
        """Return totals of the account's other submissions that no ERP document stands for yet."""
        ...


class FeedCursors(Protocol):
    """How far feeds of other systems are read. System of record: platform."""

    async def place(self, feed: str) -> int:
        """Return the last entry that was read of a feed, 0 before the first."""
        ...

    async def move(self, feed: str, entry: int) -> None:
        """Note that a feed is read up to an entry; it never goes back."""
        ...


class ReturnLedger(Protocol):
    """Returns that were requested here. System of record: platform until the ERP has them, and of what was decided."""

    async def next_number(self) -> str:
        """Return a new return number (``RMA-`` and six digits), never given twice."""
        ...

    async def create(self, entry: LedgerReturn, events: Sequence[Event] = ()) -> LedgerReturn:
        """Record a return, or return the one with the same process recorded before."""
        ...

    async def update(self, entry: LedgerReturn, events: Sequence[Event] = ()) -> LedgerReturn:
        """Write the return when the stored version is ``entry.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def returns(self, ids: Sequence[str]) -> Mapping[str, LedgerReturn]:
        """Return returns by platform id."""
        ...

    async def returns_of_processes(self, process_ids: Sequence[str]) -> Mapping[str, LedgerReturn]:
        """Return returns by the process that carries them."""
        ...

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[LedgerReturn, ...]]:
        """Return returns per order, oldest first."""
        ...

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[LedgerReturn, ...]]:
        """Return returns per account, newest first."""
        ...


class QuoteStore(Protocol):
    """Quotes. System of record: platform."""

    async def next_number(self) -> str:
        """Return a new quote number (``Q-`` and six digits), never given twice."""
        ...

    async def save(self, quote: Quote, events: Sequence[Event] = ()) -> Quote:
        """Insert a quote with version 0, or update the one stored with its version; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def quotes(self, ids: Sequence[str]) -> Mapping[str, Quote]:
        """Return quotes by platform id."""
        ...

    async def quotes_by_number(self, numbers: Sequence[str]) -> Mapping[str, Quote]:
        """Return quotes by number."""
        ...

    async def quotes_of(
        self, account_ids: Sequence[str], status: QuoteStatus | None, limit: int
    ) -> Mapping[str, tuple[Quote, ...]]:
        """Return each account's newest quotes, at most ``limit`` per account."""
        ...

    async def quotes_of_opportunities(self, opportunity_ids: Sequence[str]) -> Mapping[str, tuple[Quote, ...]]:
        """Return quotes per opportunity, newest first."""
        ...


class OnboardingStore(Protocol):
    """Requests to become a customer. System of record: platform."""

    async def create(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding:
        """Record a request, or return the one with the same id recorded before."""
        ...

    async def update(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding:
        """Write the request when the stored version is ``onboarding.version``; return it with the next version.

        One that has ended gives up the marks that it claimed.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def claim(self, onboarding_id: str, marks: Sequence[str]) -> str | None:
        """Claim what the applicant is known by, all or nothing, until the onboarding ends.

        Returns:
            None when all marks are its own now, else the id of the onboarding that has one of them.
        """
        ...

    async def onboardings(self, ids: Sequence[str]) -> Mapping[str, Onboarding]:
        """Return requests by id."""
        ...

    async def search_onboardings(self, status: OnboardingStatus | None, page: PageRequest) -> Page[Onboarding]:
        """Return requests, earliest first.

        Raises:
            Rejected: with reason ``BAD_CURSOR`` when ``page.after`` is none of this list.
        """
        ...


class ReservationLedger(Protocol):
    """Soft reservations; single writer per sku and warehouse. System of record: platform."""

    async def reserve(
        self,
        key: str,
        account_id: str,
        lines: Sequence[ReserveLine],
        expires_at: datetime,
        now: datetime,
        events: Sequence[Event] = (),
    ) -> tuple[tuple[Reservation, ...], tuple[ReserveLine, ...]]:
        """Reserve every line or none, each by one atomic conditional decrement.

        Returns:
            (reservations, short): with ``short`` empty when all lines are held, else ``reservations`` empty and the
            lines that did not fit within their ``limit``. Repeating a key returns what it reserved before.
        """
        ...

    async def reserved(self, skus: Sequence[str], now: datetime) -> Mapping[tuple[str, str], Decimal]:
        """Return unexpired held quantity per (sku, warehouse code)."""
        ...

    async def reservations(self, ids: Sequence[str]) -> Mapping[str, Reservation]:
        """Return reservations by id."""
        ...

    async def settle(self, key: str, status: ReservationStatus) -> tuple[Reservation, ...]:
        """Turn what ``key`` holds into CONSUMED or RELEASED; what is settled already stays."""
        ...

    async def release(
        self, ids: Sequence[str], tell: Callable[[Reservation], Event] | None = None
    ) -> tuple[Reservation, ...]:
        """Turn held reservations into RELEASED and tell of each that was held until now."""
        ...

    async def expire(self, now: datetime, limit: int) -> tuple[Reservation, ...]:
        """Turn at most ``limit`` overdue held reservations into EXPIRED."""
        ...


class StockBook(Protocol):
    """Stock as the WMS last told it: a copy for when it gives no answer. System of record: WMS."""

    async def positions(self, skus: Sequence[str]) -> Mapping[str, tuple[StockPosition, ...]]:
        """Return the known positions per sku by warehouse, with the time at which they were read."""
        ...

    async def record(self, positions: Sequence[StockPosition], read_at: datetime) -> None:
        """Take note of positions as they were at a time; older ones change nothing, known ones are confirmed."""
        ...

    async def tell(self, made: Callable[[StockPosition], Event], limit: int) -> int:
        """Tell of at most ``limit`` positions that have changed since they were last told of; return how many."""
        ...


class TaskQueue(Protocol):
    """Exception tasks. System of record: platform."""

    async def open_task(self, task: ExceptionTask, events: Sequence[Event] = ()) -> ExceptionTask:
        """Open a task, or return the one with the same id opened before."""
        ...

    async def tasks(self, ids: Sequence[str]) -> Mapping[str, ExceptionTask]:
        """Return tasks by id."""
        ...

    async def search_tasks(self, queue: str | None, state: str | None, page: PageRequest) -> Page[ExceptionTask]:
        """Return tasks, earliest due first."""
        ...

    async def close_tasks(
        self, order_id: str, kind: str, now: datetime, events: Sequence[Event] = ()
    ) -> tuple[ExceptionTask, ...]:
        """Close the open tasks of an order and kind as resolved."""
        ...

    async def tasks_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[ExceptionTask, ...]]:
        """Return the tasks of each order, by id; an order without tasks maps to ()."""
        ...

    async def change_task(
        self, before: ExceptionTask, after: ExceptionTask, at: datetime, events: Sequence[Event] = ()
    ) -> bool:
        """Write a task and its events when it still is as it was read; False when somebody has changed it."""
        ...


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A client idempotency key as it was used. ``scope`` is tenant, principal and operation.

    ``request`` is what the audit keeps of the request, in the commit that records the use.
    """

    scope: str
    key: str
    payload_hash: str
    process_id: str
    request: AuditEntry | None = None


class KeyRegistry(Protocol):
    """Client idempotency keys, kept 30 days. System of record: platform."""

    async def claim(self, use: KeyUse, now: datetime) -> KeyUse:
        """Record the use when the key is new in its scope and return what is recorded: own use, or the earlier one."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a system: how many processes, and since when the oldest of them runs."""

    processes: int
    oldest_started_at: datetime


class ProcessLog(Protocol):
    """How each process went, written by the processes and read by the operations graph. System of record: platform."""

    async def start(self, process: ProcessRecord, events: Sequence[Event] = ()) -> None:
        """Record a started process and its events once."""
        ...

    async def set_state(self, process_id: str, state: ProcessState, at: datetime, events: Sequence[Event] = ()) -> None:
        """Record a state; a final state sets the end."""
        ...

    async def step(self, process_id: str, step: ProcessStepRecord) -> None:
        """Create the step, or replace the one with the same name; steps keep the order of their creation."""
        ...

    async def processes(self, ids: Sequence[str]) -> Mapping[str, ProcessRecord]:
        """Return processes with their steps in order by id."""
        ...

    async def processes_of(self, business_keys: Sequence[str]) -> Mapping[str, tuple[ProcessRecord, ...]]:
        """Return processes per business key, oldest first."""
        ...

    async def waiting(self) -> Mapping[SourceSystem, Waiting]:
        """Return what waits for each system to answer; systems that nothing waits for are absent."""
        ...


class DeadLetterStore(Protocol):
    """Messages that could not be handled."""

    async def put(self, letter: DeadLetter) -> None:
        """Keep a message, or count one more attempt of it."""
        ...

    async def search(self, source: SourceSystem | None, page: PageRequest) -> Page[DeadLetter]:
        """Return dead letters, oldest first."""
        ...

    async def letters(self, ids: Sequence[str]) -> Mapping[str, DeadLetter]:
        """Return dead letters by id."""
        ...

    async def remove(self, letter_id: str) -> None:
        """Forget a message that was handled after all; one that is not there stays so."""
        ...


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """How a system did lately, as its callers saw it. ``circuit`` is CLOSED, OPEN or HALF_OPEN.

    ``p95_ms`` and ``error_rate`` (a share between 0 and 1) are None while nothing was asked of it.
    """

    system: SourceSystem
    circuit: str
    p95_ms: int | None
    error_rate: Decimal | None


class SystemHealthBoard(Protocol):
    """Health of every connected system."""

    def health(self) -> tuple[SystemHealth, ...]:
        """Return one entry per system by name."""
        ...
