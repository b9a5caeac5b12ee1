"""Enumerations of the graph as plain Python enums; the strawberry layer registers them, all others just use them."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "AccountStatus",
    "AvailabilityDecision",
    "BillingStatus",
    "CaseStatus",
    "CheckKind",
    "CheckResult",
    "ErpHome",
    "FulfillmentStatus",
    "HoldKind",
    "InvoiceStatus",
    "ItemStatus",
    "KpiName",
    "LineStatus",
    "OnboardingStatus",
    "OrderChannel",
    "OrderStatus",
    "PriceSource",
    "PricingConflictReason",
    "ProcessState",
    "QuoteStatus",
    "ReservationStatus",
    "ReturnStatus",
    "ShipmentStatus",
    "SourceSystem",
    "SupplyKind",
]


class SourceSystem(StrEnum):
    """Who said it: a system of record, or the platform itself."""

    CRM = "CRM"
    CLOUD_ERP = "CLOUD_ERP"
    LEGACY_ERP = "LEGACY_ERP"
    WMS = "WMS"
    TMS = "TMS"
    EDI = "EDI"
    ECOM = "ECOM"
    SUPPLIER = "SUPPLIER"
    FINANCE = "FINANCE"
    SUPPORT = "SUPPORT"
    PLATFORM = "PLATFORM"


class ProcessState(StrEnum):
    """Where a business process stands."""

    RUNNING = "RUNNING"
    WAITING_HUMAN = "WAITING_HUMAN"
    WAITING_SYSTEM = "WAITING_SYSTEM"
    COMPENSATING = "COMPENSATING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class PricingConflictReason(StrEnum):
    """Why a price cannot be taken as offered."""

    CHANGED_SINCE_QUOTE = "CHANGED_SINCE_QUOTE"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason, not a secret
    AMBIGUOUS_RULES = "AMBIGUOUS_RULES"
    NO_PRICE = "NO_PRICE"
    NO_PRICE_IN_CURRENCY = "NO_PRICE_IN_CURRENCY"
    BELOW_FLOOR = "BELOW_FLOOR"
    ERP_DISAGREES = "ERP_DISAGREES"


class AccountStatus(StrEnum):
    """Life of a customer account."""

    PROSPECT = "PROSPECT"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    ON_HOLD = "ON_HOLD"
    INACTIVE = "INACTIVE"
    MERGED = "MERGED"


class ErpHome(StrEnum):
    """Which ERP is the account's system of record."""

    LEGACY_ERP = "LEGACY_ERP"
    MIGRATING = "MIGRATING"
    CLOUD_ERP = "CLOUD_ERP"


class OnboardingStatus(StrEnum):
    """Life of an onboarding request."""

    SUBMITTED = "SUBMITTED"
    VALIDATING = "VALIDATING"
    AWAITING_DECISION = "AWAITING_DECISION"
    APPROVED = "APPROVED"
    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    FAILED_COMPENSATED = "FAILED_COMPENSATED"


class CheckKind(StrEnum):
    """What onboarding checks."""

    DUPLICATE = "DUPLICATE"
    TAX = "TAX"
    CREDIT = "CREDIT"
    TERRITORY = "TERRITORY"
    PRICING = "PRICING"
    HIERARCHY = "HIERARCHY"


class CheckResult(StrEnum):
    """Outcome of an onboarding check."""

    PENDING = "PENDING"
    PASSED = "PASSED"
    FAILED = "FAILED"
    NEEDS_DECISION = "NEEDS_DECISION"
    OVERRIDDEN = "OVERRIDDEN"


class CaseStatus(StrEnum):
    """Life of a service case."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    WAITING_CUSTOMER = "WAITING_CUSTOMER"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"


class ItemStatus(StrEnum):
    """Whether an item may be sold."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    PHASE_OUT = "PHASE_OUT"
    DISCONTINUED = "DISCONTINUED"


class PriceSource(StrEnum):
    """Which level of the price precedence decided."""

    QUOTE_LOCK = "QUOTE_LOCK"
    CONTRACT = "CONTRACT"
    PARENT_CONTRACT = "PARENT_CONTRACT"
    PRICE_GROUP = "PRICE_GROUP"
    PROMOTION = "PROMOTION"
    QUANTITY_BREAK = "QUANTITY_BREAK"
    LIST = "LIST"
    FX_CONVERTED = "FX_CONVERTED"


class AvailabilityDecision(StrEnum):
    """How much of a requested quantity can be promised."""

    FULL = "FULL"
    PARTIAL = "PARTIAL"
    LATER = "LATER"
    UNAVAILABLE = "UNAVAILABLE"


class SupplyKind(StrEnum):
    """Where promised quantity comes from."""

    ON_HAND = "ON_HAND"
    INBOUND_PO = "INBOUND_PO"
    TRANSFER = "TRANSFER"
    DROP_SHIP = "DROP_SHIP"


class ReservationStatus(StrEnum):
    """Life of a soft reservation."""

    HELD = "HELD"
    CONSUMED = "CONSUMED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class QuoteStatus(StrEnum):
    """Life of a quote."""

    DRAFT = "DRAFT"
    PRICED = "PRICED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    CONVERTED = "CONVERTED"
    SUPERSEDED = "SUPERSEDED"


class OrderStatus(StrEnum):
    """Life of an order's commitment."""

    RECEIVED = "RECEIVED"
    VALIDATING = "VALIDATING"
    ON_HOLD = "ON_HOLD"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CHANGE_PENDING = "CHANGE_PENDING"
    CANCEL_PENDING = "CANCEL_PENDING"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"


class FulfillmentStatus(StrEnum):
    """How far the goods of an order are."""

    NOT_STARTED = "NOT_STARTED"
    BACKORDERED = "BACKORDERED"
    PARTIALLY_ALLOCATED = "PARTIALLY_ALLOCATED"
    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    PICKING = "PICKING"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    PARTIALLY_DELIVERED = "PARTIALLY_DELIVERED"
    DELIVERED = "DELIVERED"


class BillingStatus(StrEnum):
    """How far an order is invoiced."""

    NOT_INVOICED = "NOT_INVOICED"
    PARTIALLY_INVOICED = "PARTIALLY_INVOICED"
    INVOICED = "INVOICED"
    CREDITED = "CREDITED"


class LineStatus(StrEnum):
    """Life of one order line."""

    PENDING = "PENDING"
    BACKORDERED = "BACKORDERED"
    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    PICKED = "PICKED"
    PACKED = "PACKED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    INVOICED = "INVOICED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    SUBSTITUTED = "SUBSTITUTED"


class ShipmentStatus(StrEnum):
    """Life of a shipment."""

    PLANNED = "PLANNED"
    RELEASED = "RELEASED"
    PICKING = "PICKING"
    PACKED = "PACKED"
    LOADED = "LOADED"
    DEPARTED = "DEPARTED"
    IN_TRANSIT = "IN_TRANSIT"
    DELAYED = "DELAYED"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"


class InvoiceStatus(StrEnum):
    """Life of an invoice."""

    DRAFT = "DRAFT"
    POSTED = "POSTED"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    DISPUTED = "DISPUTED"
    CREDITED = "CREDITED"
    VOID = "VOID"


class ReturnStatus(StrEnum):
    """Life of a return (RMA)."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    IN_TRANSIT = "IN_TRANSIT"
    RECEIVED = "RECEIVED"
    INSPECTED = "INSPECTED"
    CREDITED = "CREDITED"
    REPLACED = "REPLACED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class OrderChannel(StrEnum):
    """Where an order was entered."""

    SALES_REP = "SALES_REP"
    PORTAL = "PORTAL"
    MOBILE = "MOBILE"
    EDI = "EDI"
    ECOM = "ECOM"
    SERVICE_DESK = "SERVICE_DESK"


class HoldKind(StrEnum):
    """Why an order waits for a person."""

    CREDIT = "CREDIT"
    PRICE = "PRICE"
    COMPLIANCE = "COMPLIANCE"
    INVENTORY = "INVENTORY"
    MANUAL = "MANUAL"


class KpiName(StrEnum):
    """Key figures computed from the event log."""

    ORDER_CYCLE_TIME = "ORDER_CYCLE_TIME"
    TOUCHLESS_RATE = "TOUCHLESS_RATE"
    MANUAL_TOUCHES = "MANUAL_TOUCHES"
    ORDER_DEFECT_RATE = "ORDER_DEFECT_RATE"
    PERFECT_ORDER = "PERFECT_ORDER"
    OTIF = "OTIF"
    PROMISE_ACCURACY = "PROMISE_ACCURACY"
    QUOTE_CONVERSION = "QUOTE_CONVERSION"
    QUOTE_TO_ORDER_TIME = "QUOTE_TO_ORDER_TIME"
    SERVICE_RESPONSE_TIME = "SERVICE_RESPONSE_TIME"
    INTEGRATION_INCIDENTS = "INTEGRATION_INCIDENTS"
    SLO_COMPLIANCE = "SLO_COMPLIANCE"
