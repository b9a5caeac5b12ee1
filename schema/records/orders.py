"""Records of quotes, orders, shipments, invoices and returns.

An order has two halves. :class:`ErpOrder` is the document of the home ERP, the authority for what was accepted.
:class:`LedgerOrder` is the platform's own record of the submission: it exists first, holds what the ERP does not know
(holds, problems, process) and stays the only half while the ERP has not answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schema.enums import (
    HoldKind,
    InvoiceStatus,
    OrderChannel,
    OrderStatus,
    QuoteStatus,
    ReturnStatus,
    ShipmentStatus,
    SourceSystem,
)
from schema.records.problems import Problem
from schema.records.values import ExternalRef, Money, Quantity

__all__ = [
    "Allocation",
    "ApprovalRecord",
    "ErpLine",
    "ErpLineChange",
    "ErpOrder",
    "ErpOrderChange",
    "HoldDecision",
    "Invoice",
    "LedgerLine",
    "LedgerOrder",
    "Milestone",
    "NewErpLine",
    "NewErpOrder",
    "OrderFilter",
    "OrderHold",
    "Quote",
    "QuoteLine",
    "ReleaseLine",
    "Return",
    "ReturnLine",
    "Shipment",
    "ShipmentLine",
    "Tracking",
]


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """All conditions that are given must hold; times bound ``submitted_at``, ``end`` exclusive.

    Attributes:
        behind: (``submitted_at``, id) of an order: only those that follow it, newest first and of one instant the
            highest id first.
        may_have_exceptions: True for orders that are unfinished or have recorded problems. Only the ledger records
            problems; the ERP is asked by statuses.
        warehouses: codes of warehouses, one of which has to do with the order. Only the ledger knows; an ERP gives
            orders of all.
    """

    statuses: tuple[OrderStatus, ...] | None = None
    po_number: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    behind: tuple[datetime, str] | None = None
    may_have_exceptions: bool = False
    warehouses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Allocation:
    """Quantity (asked unit) of a line set aside at a warehouse; ``firm`` ones are the ERP's.

    ``round`` counts the releases of the order to this warehouse and names the one that carries the goods.
    """

    warehouse_code: str
    quantity: Quantity
    ship_date: date
    firm: bool
    round: int = 1


@dataclass(frozen=True, slots=True)
class ErpLine:
    """A line of an ERP order; quantities are in ``uom``."""

    line_no: int
    sku: str
    description: str
    uom: str
    ordered: Decimal
    allocated: Decimal
    backordered: Decimal
    shipped: Decimal
    invoiced: Decimal
    cancelled: Decimal
    unit_price: Money
    extended: Money
    promised_date: date | None
    allocations: tuple[Allocation, ...]


@dataclass(frozen=True, slots=True)
class ErpOrder:
    """A sales order as its home ERP holds it. ``id`` is the platform id that travelled in the external document number.

    ``status`` is canonical: VALIDATING (ERP draft), ON_HOLD, ACCEPTED, COMPLETED or CANCELLED.
    ``etag`` is what the ERP wants back with a change.
    """

    id: str
    number: str
    account_id: str
    ship_to_id: str | None
    po_number: str | None
    channel: OrderChannel
    status: OrderStatus
    currency: str
    lines: tuple[ErpLine, ...]
    subtotal: Money
    tax: Money
    freight: Money
    total: Money
    requested_date: date | None
    promised_date: date | None
    submitted_at: datetime
    accepted_at: datetime | None
    completed_at: datetime | None
    opportunity_id: str | None
    quote_id: str | None
    home_erp: SourceSystem
    refs: tuple[ExternalRef, ...]
    etag: str


@dataclass(frozen=True, slots=True)
class NewErpLine:
    """A line to create; ``unit_price`` was agreed with the customer and is checked by the ERP against its own."""

    line_no: int
    sku: str
    description: str
    quantity: Quantity
    unit_price: Money
    requested_date: date | None
    warehouse_code: str | None


@dataclass(frozen=True, slots=True)
class NewErpOrder:
    """An order to create. ``key`` is its idempotency key and becomes the external document number (``or:{id}:erp``).

    ``home_erp`` is the ERP that is meant to take it.
    """

    key: str
    order_id: str
    number: str
    account_id: str
    ship_to_id: str
    po_number: str | None
    channel: OrderChannel
    currency: str
    requested_date: date | None
    opportunity_id: str | None
    quote_id: str | None
    lines: tuple[NewErpLine, ...]
    home_erp: SourceSystem = SourceSystem.CLOUD_ERP


@dataclass(frozen=True, slots=True)
class ErpLineChange:
    """What a line of an ERP order becomes; ``quantity`` (in the line's unit) is all of it, zero cancels the line."""

    line_no: int
    quantity: Decimal
    unit_price: Money
    requested_date: date | None


@dataclass(frozen=True, slots=True)
class ErpOrderChange:
    """Lines of an ERP order to change, and lines that it gets besides.

    ``key`` is its idempotency key (``chg:{order}:{version}:erp``). An added line takes the number of one that the order
    has not, or of one that is cancelled as a whole, in whose place it comes.
    """

    key: str
    order_id: str
    lines: tuple[ErpLineChange, ...]
    added: tuple[NewErpLine, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderHold:
    """Why an order waits, since when, who owns it, by when."""

    kind: HoldKind
    reason: str
    since: datetime
    owner_queue: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class HoldDecision:
    """What a person decided about a hold.

    Attributes:
        id: what makes the decision the same when it is sent again.
        approved: released, else the order is refused.
        by: who.
        reason: why the order was held.
        order_total: what it came to then.
        max_amount: what it may come to; None for holds that are not about money owed.
        expires_at: until when the release holds; None for ever.
    """

    id: str
    kind: HoldKind
    approved: bool
    by: str
    at: datetime
    comment: str
    reason: str
    order_total: Money | None = None
    max_amount: Money | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A line as submitted and priced; ``unit_price`` is None until priced.

    ``backordered`` and ``cancelled`` are in the asked unit. ``substituted_by`` is the number of the line that came in
    place of what this one gave up.
    """

    line_no: int
    sku: str
    description: str
    quantity: Quantity
    unit_price: Money | None
    price_source: str | None
    requested_date: date | None
    promised_date: date | None = None
    allocations: tuple[Allocation, ...] = ()
    backordered: Decimal = Decimal(0)
    cancelled: Decimal = Decimal(0)
    substituted_by: int | None = None

    @property
    def wanted(self) -> Decimal:
        """What of the line is still meant to be delivered, or was."""
        return self.quantity.value - self.cancelled


@dataclass(frozen=True, slots=True)
class LedgerOrder:
    """The platform's record of a submitted order. ``version`` grows with every change of it.

    Attributes:
        ship_complete: the customer wants all of it at once.
        allow_backorder: what is missing may come later.
        allow_substitutes: other items may come in place of what is missing.
        amended_by: process that is changing or cancelling the order now.
        amended_lines: the lines as they will be, while a change is under way.
        decisions: what persons decided about its holds, in the order of time.
        home_erp: the ERP that takes the order, or has taken it; it is decided once, and None until then.
    """

    id: str
    number: str
    version: int
    account_id: str
    ship_to_id: str
    po_number: str | None
    channel: OrderChannel
    status: OrderStatus
    currency: str
    quote_id: str | None
    opportunity_id: str | None
    requested_date: date | None
    promised_date: date | None
    submitted_at: datetime
    accepted_at: datetime | None
    completed_at: datetime | None
    lines: tuple[LedgerLine, ...]
    holds: tuple[OrderHold, ...]
    exceptions: tuple[Problem, ...]
    process_id: str
    submitted_by: str
    erp_number: str | None
    ship_complete: bool = False
    allow_backorder: bool = True
    amended_by: str | None = None
    amended_lines: tuple[LedgerLine, ...] = ()
    decisions: tuple[HoldDecision, ...] = ()
    home_erp: SourceSystem | None = None
    allow_substitutes: bool = False


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """A line of a quote; ``priced_at`` is when the price was asked live."""

    line_no: int
    sku: str
    description: str
    quantity: Quantity
    unit_price: Money
    list_price: Money | None
    price_source: str
    price_token: str | None
    priced_at: datetime
    extended: Money
    promised_date: date | None


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """Who asked for what approval, and who decided it how.

    ``rule`` is what must be approved, ``lines`` the numbers of the lines that break it: their list price is the old
    value and their unit price the new one. ``decision_id`` makes the decision the same when it is sent again.
    """

    level: str
    reason: str
    requested_at: datetime
    decided_at: datetime | None = None
    decision: str | None = None
    by: str | None = None
    comment: str | None = None
    rule: str = "MARGIN_FLOOR"
    lines: tuple[int, ...] = ()
    decision_id: str | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote; the platform is its system of record.

    ``order_id`` is the order that it became; if that is never accepted, the quote is what it was before again:
    ``converted_from``. By the CRM's time, ``answered_at`` is when it was sent or answered last, ``recalled_at`` when it
    was last said not to be with the customer.
    """

    id: str
    number: str
    version: int
    status: QuoteStatus
    account_id: str
    ship_to_id: str | None
    opportunity_id: str | None
    lines: tuple[QuoteLine, ...]
    total: Money
    valid_until: date
    approvals: tuple[ApprovalRecord, ...]
    order_id: str | None
    created_at: datetime
    created_by: str
    process_id: str | None
    converted_from: QuoteStatus | None = None
    answered_at: datetime | None = None
    recalled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """A line for the WMS to pick, in base units."""

    line_no: int
    sku: str
    quantity: Decimal
    uom: str


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """What a shipment carries of one order line, in base units."""

    line_no: int
    sku: str
    quantity: Quantity
    lot: str | None


@dataclass(frozen=True, slots=True)
class Milestone:
    """One thing that happened to a shipment; ``code`` is X12 214 for carriers, the WMS's own word before."""

    code: str
    status: ShipmentStatus
    at: datetime
    place: str | None
    reason_code: str | None
    source: SourceSystem


@dataclass(frozen=True, slots=True)
class Shipment:
    """A shipment as the WMS knows it. ``id`` is ``sh_`` and the number."""

    id: str
    number: str
    order_id: str
    account_id: str
    warehouse_code: str
    status: ShipmentStatus
    sscc: tuple[str, ...]
    lines: tuple[ShipmentLine, ...]
    milestones: tuple[Milestone, ...]
    planned_delivery: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Tracking:
    """A shipment as the TMS and its carrier know it; milestones sorted by time."""

    shipment_number: str
    carrier: str
    tracking_number: str
    status: ShipmentStatus
    milestones: tuple[Milestone, ...]
    estimated_delivery: datetime | None
    delivered_at: datetime | None
    proof_of_delivery_url: str | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice of the ERP. ``id`` is ``inv_`` and the number."""

    id: str
    number: str
    account_id: str
    order_id: str | None
    status: InvoiceStatus
    posted_at: datetime | None
    due_date: date | None
    total: Money
    balance: Money
    pdf_url: str | None


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """A returned line."""

    line_no: int
    sku: str
    quantity: Quantity
    reason: str
    disposition: str | None


@dataclass(frozen=True, slots=True)
class Return:
    """A return (RMA). ``id`` is ``rma_`` and the number."""

    id: str
    rma_number: str
    account_id: str
    order_id: str
    status: ReturnStatus
    lines: tuple[ReturnLine, ...]
    credit: Money | None
    created_at: datetime
