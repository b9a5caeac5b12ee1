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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from schema.enums import OrderStatus, ProcessState, QuoteStatus, ReservationStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import (
    Account,
    AccountFilter,
    Contact,
    CustomerTerms,
    Opportunity,
    ServiceCase,
    ShipTo,
    Territory,
    User,
)
from schema.records.catalog import Category, Item, ItemFilter, PriceRule
from schema.records.inventory import InboundSupply, Reservation, ReserveLine, StockPosition, Warehouse
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord, ProcessStepRecord
from schema.records.orders import (
    ErpOrder,
    Invoice,
    LedgerOrder,
    NewErpOrder,
    OrderFilter,
    Quote,
    ReleaseLine,
    Return,
    Shipment,
    Tracking,
)
from schema.records.values import Money, Page, PageRequest

__all__ = [
    "BAD_CURSOR",
    "AccountDirectory",
    "AllocationResult",
    "CallObserver",
    "CaseDesk",
    "Clock",
    "CustomerMaster",
    "DeadLetterStore",
    "InvoiceBook",
    "ItemMaster",
    "KeyRegistry",
    "KeyUse",
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
    "SalesContext",
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

    async def release(self, ids: Sequence[str]) -> tuple[Reservation, ...]:
        """Turn held reservations into RELEASED."""
        ...

    async def expire(self, now: datetime, limit: int) -> tuple[Reservation, ...]:
        """Turn at most ``limit`` overdue held reservations into EXPIRED."""
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


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A client idempotency key as it was used. ``scope`` is tenant, principal and operation."""

    scope: str
    key: str
    payload_hash: str
    process_id: str


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

    async def start(self, process: ProcessRecord) -> None:
        """Record a started process once."""
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
