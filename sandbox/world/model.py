"""What exists in the demo world, in plain values that every sandbox translates into its vendor's shapes.

The generator makes the same world from the same seed, to the byte. Quantities are in the item's base unit, money in the
account's currency, times aware UTC. Statuses are the canonical words of the domain; each sandbox maps
them to its vendor's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

__all__ = [
    "WorldAccount",
    "WorldAddress",
    "WorldBreak",
    "WorldCase",
    "WorldCategory",
    "WorldContact",
    "WorldInbound",
    "WorldInvoice",
    "WorldItem",
    "WorldItemUom",
    "WorldMilestone",
    "WorldModel",
    "WorldOpportunity",
    "WorldOrder",
    "WorldOrderLine",
    "WorldPriceRule",
    "WorldQuote",
    "WorldQuoteLine",
    "WorldReturn",
    "WorldReturnLine",
    "WorldShipTo",
    "WorldShipment",
    "WorldShipmentLine",
    "WorldStock",
    "WorldTaxRegistration",
    "WorldTerritory",
    "WorldUser",
    "WorldWarehouse",
]


@dataclass(frozen=True, slots=True)
class WorldAddress:
    """A postal address."""

    line1: str
    city: str
    region: str | None
    postal_code: str
    country: str
    gln: str | None


@dataclass(frozen=True, slots=True)
class WorldUser:
    """A person of the distributor; ``id`` is ``usr_...``."""

    id: str
    name: str
    email: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorldTerritory:
    """A sales territory; ``id`` is ``ter_...``."""

    id: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class WorldTaxRegistration:
    """A tax id of an account."""

    kind: str
    number: str
    jurisdiction: str
    exempt: bool
    certificate_expires: date | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorldAccount:
    """A customer. ``blocked`` is empty, Ship, Invoice or All; ``credit_limit`` None means prepay.

    ``erp_home`` is LEGACY_ERP, MIGRATING or CLOUD_ERP.
    """

    id: str
    number: str
    name: str
    legal_name: str
    status: str
    version: int
    parent_id: str | None
    bill_to_id: str | None
    territory_id: str
    owner_id: str
    currency: str
    payment_terms: str
    price_group: str
    blocked: str
    credit_limit: Decimal | None
    open_receivables: Decimal
    overdue: Decimal
    max_days_past_due: int
    credit_tolerance_percent: int
    credit_on_hold: bool
    hold_reason: str | None
    address: WorldAddress
    tax_registrations: tuple[WorldTaxRegistration, ...]
    changed_at: datetime
    erp_home: str


@dataclass(frozen=True, slots=True)
class WorldShipTo:
    """A delivery place; ``id`` is ``shp_...``."""

    id: str
    account_id: str
    code: str
    address: WorldAddress
    tax_jurisdiction: str | None
    delivery_days: tuple[str, ...]
    active: bool


@dataclass(frozen=True, slots=True)
class WorldContact:
    """A person at an account; ``id`` is ``con_...``."""

    id: str
    account_id: str
    first_name: str
    last_name: str
    email: str
    phone: str
    role: str


@dataclass(frozen=True, slots=True)
class WorldOpportunity:
    """A sales opportunity; ``id`` is ``opp_...``; ``stage`` uses the CRM's words."""

    id: str
    account_id: str
    name: str
    stage: str
    amount: Decimal
    close_date: date
    owner_id: str
    is_closed: bool


@dataclass(frozen=True, slots=True)
class WorldCase:
    """A service case; ``id`` is ``cas_...``; ``status`` is canonical (OPEN, ANSWERED ...)."""

    id: str
    number: str
    account_id: str
    order_id: str | None
    subject: str
    status: str
    priority: str
    opened_at: datetime
    first_response_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorldCategory:
    """An item category; ``id`` is ``cat_...``."""

    id: str
    code: str
    name: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class WorldItemUom:
    """A unit of an item; ``per_base`` base units make one."""

    uom: str
    per_base: Decimal
    gtin: str | None
    sellable: bool


@dataclass(frozen=True, slots=True)
class WorldItem:
    """An item; ``status`` is canonical; ``uoms`` has the base unit first."""

    sku: str
    name: str
    description: str
    brand: str
    category_id: str
    status: str
    base_uom: str
    uoms: tuple[WorldItemUom, ...]
    gtin: str
    net_weight_kg: Decimal
    hazmat_class: str | None
    lot_controlled: bool
    tax_category: str
    substitute_skus: tuple[str, ...]
    restricted_regions: tuple[str, ...]
    unit_cost: Decimal
    floor_margin_percent: Decimal
    min_quantity: Decimal
    multiple: Decimal


@dataclass(frozen=True, slots=True)
class WorldBreak:
    """From ``min_quantity`` on a base unit costs ``unit``."""

    min_quantity: Decimal
    unit: Decimal


@dataclass(frozen=True, slots=True)
class WorldPriceRule:
    """A price row; ``level`` is LIST, PROMOTION, PRICE_GROUP or CONTRACT; fields as in the domain's price rules."""

    id: str
    number: str
    level: str
    currency: str
    account_id: str | None
    price_group: str | None
    sku: str | None
    category_code: str | None
    brand: str | None
    unit: Decimal | None
    discount_percent: Decimal | None
    breaks: tuple[WorldBreak, ...]
    valid_from: date
    valid_to: date | None
    priority: int
    inherit: bool
    exclusive: bool
    combinable: bool
    graduated: bool


@dataclass(frozen=True, slots=True)
class WorldWarehouse:
    """A warehouse; ``cutoff`` HH:MM local."""

    code: str
    name: str
    address: WorldAddress
    time_zone: str
    cutoff: str
    status: str


@dataclass(frozen=True, slots=True)
class WorldStock:
    """A stock position."""

    sku: str
    warehouse_code: str
    on_hand: Decimal
    allocated: Decimal
    blocked: Decimal
    safety_stock: Decimal


@dataclass(frozen=True, slots=True)
class WorldInbound:
    """Open inbound supply; ``kind`` is INBOUND_PO, TRANSFER or DROP_SHIP."""

    reference: str
    sku: str
    warehouse_code: str
    kind: str
    quantity: Decimal
    eta: date
    confirmed: bool


@dataclass(frozen=True, slots=True)
class WorldOrderLine:
    """A line of an order; quantities in ``uom``."""

    line_no: int
    sku: str
    uom: str
    ordered: Decimal
    allocated: Decimal
    backordered: Decimal
    shipped: Decimal
    invoiced: Decimal
    cancelled: Decimal
    unit_price: Decimal
    extended: Decimal
    promised_date: date | None
    warehouse_code: str


@dataclass(frozen=True, slots=True)
class WorldOrder:
    """An order; ``id`` is ``ord_...``. Orders with ``in_erp`` False are only in the platform's ledger (on hold).

    ``erp`` is the one that has it or is going to: LEGACY_ERP or CLOUD_ERP.
    """

    id: str
    number: str
    account_id: str
    ship_to_id: str
    po_number: str
    channel: str
    status: str
    currency: str
    lines: tuple[WorldOrderLine, ...]
    subtotal: Decimal
    tax: Decimal
    freight: Decimal
    total: Decimal
    requested_date: date
    promised_date: date | None
    submitted_at: datetime
    accepted_at: datetime | None
    completed_at: datetime | None
    opportunity_id: str | None
    quote_id: str | None
    submitted_by: str
    in_erp: bool
    hold_kind: str | None
    hold_reason: str | None
    erp: str


@dataclass(frozen=True, slots=True)
class WorldShipmentLine:
    """What a shipment carries of a line, base units."""

    line_no: int
    sku: str
    quantity: Decimal
    uom: str
    lot: str | None


@dataclass(frozen=True, slots=True)
class WorldMilestone:
    """A milestone; ``code`` X12 214 from the carrier (system TMS) or a WMS word (system WMS)."""

    code: str
    status: str
    at: datetime
    place: str | None
    reason_code: str | None
    system: str


@dataclass(frozen=True, slots=True)
class WorldShipment:
    """A shipment; carrier and tracking are None until tendered."""

    number: str
    order_id: str
    account_id: str
    warehouse_code: str
    status: str
    sscc: tuple[str, ...]
    lines: tuple[WorldShipmentLine, ...]
    milestones: tuple[WorldMilestone, ...]
    carrier: str | None
    tracking_number: str | None
    planned_delivery: datetime | None
    estimated_delivery: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorldInvoice:
    """An invoice; ``status`` canonical."""

    number: str
    account_id: str
    order_id: str
    status: str
    currency: str
    posted_at: datetime
    due_date: date
    total: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class WorldReturnLine:
    """A returned line, base units."""

    line_no: int
    sku: str
    quantity: Decimal
    uom: str
    reason: str
    disposition: str | None


@dataclass(frozen=True, slots=True)
class WorldReturn:
    """An RMA; ``status`` canonical."""

    rma_number: str
    account_id: str
    order_id: str
    status: str
    lines: tuple[WorldReturnLine, ...]
    credit: Decimal | None
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WorldQuoteLine:
    """A line of a quote, quantity in ``uom``."""

    line_no: int
    sku: str
    uom: str
    quantity: Decimal
    unit_price: Decimal
    list_price: Decimal
    price_source: str
    extended: Decimal


@dataclass(frozen=True, slots=True)
class WorldQuote:
    """A quote, platform-owned; ``id`` is ``quo_...``."""

    id: str
    number: str
    status: str
    account_id: str
    ship_to_id: str
    opportunity_id: str | None
    currency: str
    lines: tuple[WorldQuoteLine, ...]
    total: Decimal
    valid_until: date
    created_at: datetime
    created_by: str
    order_id: str | None


@dataclass(frozen=True, slots=True)
class WorldModel:
    """Everything. ``now`` is the instant at which the world was made; dates lie around it."""

    seed: int
    now: datetime
    users: tuple[WorldUser, ...]
    territories: tuple[WorldTerritory, ...]
    accounts: tuple[WorldAccount, ...]
    ship_tos: tuple[WorldShipTo, ...]
    contacts: tuple[WorldContact, ...]
    opportunities: tuple[WorldOpportunity, ...]
    cases: tuple[WorldCase, ...]
    categories: tuple[WorldCategory, ...]
    items: tuple[WorldItem, ...]
    price_rules: tuple[WorldPriceRule, ...]
    exchange_rates: tuple[tuple[str, str, date, Decimal], ...]
    warehouses: tuple[WorldWarehouse, ...]
    stock: tuple[WorldStock, ...]
    inbound: tuple[WorldInbound, ...]
    orders: tuple[WorldOrder, ...]
    shipments: tuple[WorldShipment, ...]
    invoices: tuple[WorldInvoice, ...]
    returns: tuple[WorldReturn, ...]
    quotes: tuple[WorldQuote, ...]
