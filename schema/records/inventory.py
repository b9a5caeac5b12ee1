"""Records of stock, supply and reservations; quantities are in the base unit unless a unit stands beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schema.enums import AvailabilityDecision, ReservationStatus, SupplyKind
from schema.records.values import Address, ExternalRef, Freshness, Quantity

__all__ = [
    "Availability",
    "InboundSupply",
    "PromiseLine",
    "Reservation",
    "ReserveLine",
    "StockPosition",
    "Warehouse",
    "warehouse_code",
    "warehouse_id",
]

_WAREHOUSE_PREFIX = "wh_"


def warehouse_id(code: str) -> str:
    """Return the platform id of a warehouse."""
    return f"{_WAREHOUSE_PREFIX}{code}"


def warehouse_code(platform_id: str) -> str | None:
    """Return the code within a warehouse's platform id, None when the text is not a warehouse id."""
    return platform_id[len(_WAREHOUSE_PREFIX) :] if platform_id.startswith(_WAREHOUSE_PREFIX) else None


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse. ``cutoff`` is HH:MM local time for same-day shipping, ``time_zone`` an IANA name."""

    id: str
    code: str
    name: str
    address: Address
    time_zone: str
    cutoff: str
    status: str
    refs: tuple[ExternalRef, ...]


@dataclass(frozen=True, slots=True)
class StockPosition:
    """Stock of a sku in a warehouse as the WMS counts it. ``sequence`` grows with every change of the position.

    ``on_hand`` includes ``blocked`` (quarantine, expired, damaged) and ``allocated`` (firm, not yet picked).
    ``read_at`` is when the WMS last said so, None when it did right now.
    """

    sku: str
    warehouse_code: str
    on_hand: Decimal
    allocated: Decimal
    blocked: Decimal
    safety_stock: Decimal
    uom: str
    sequence: int
    as_of: datetime
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InboundSupply:
    """Quantity that will arrive. ``dock_days`` pass between ``eta`` and usable stock."""

    sku: str
    warehouse_code: str
    kind: SupplyKind
    reference: str
    quantity: Decimal
    eta: date
    confirmed: bool
    dock_days: int = 1


@dataclass(frozen=True, slots=True)
class PromiseLine:
    """Part of an availability answer: this much, from here, shipping then."""

    warehouse_code: str
    kind: SupplyKind
    quantity: Quantity
    ship_date: date
    delivery_date: date | None


@dataclass(frozen=True, slots=True)
class Availability:
    """Answer to "how much of this, when". Quantities are in the asked unit."""

    decision: AvailabilityDecision
    requested: Quantity
    available_now: Quantity
    full_date: date | None
    promise: tuple[PromiseLine, ...]
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class ReserveLine:
    """One line to reserve, in base units at one warehouse. ``limit`` is how much may be held in all."""

    line_no: int
    sku: str
    warehouse_code: str
    quantity: Decimal
    uom: str
    limit: Decimal


@dataclass(frozen=True, slots=True)
class Reservation:
    """A soft reservation of the platform ledger, in base units."""

    id: str
    key: str
    account_id: str
    sku: str
    warehouse_code: str
    quantity: Decimal
    uom: str
    status: ReservationStatus
    expires_at: datetime
