"""How long goods travel and what that costs by estimate, where no carrier has been asked.

The table stands in when the transport system gives no rate: it ranks warehouses and dates a promise, it is never
charged.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from schema.records.currencies import round_to_minor
from schema.records.values import Address, Money

__all__ = ["DEFAULT_TARIFF", "FreightTariff", "estimate_freight", "transit_days"]

SAME_REGION_DAYS = 1
DOMESTIC_DAYS = 2
MAX_DOMESTIC_DAYS = 5
NEIGHBOUR_DAYS = 5
OVERSEAS_DAYS = 8

_NORTH_AMERICA = frozenset({"US", "CA", "MX"})
_EUROPE = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)


@dataclass(frozen=True, slots=True)
class FreightTariff:
    """Estimated freight: a fixed part, a part per day on the way, a part per kilogram."""

    currency: str
    fixed: Decimal
    per_day: Decimal
    per_kg: Decimal


DEFAULT_TARIFF = FreightTariff("USD", fixed=Decimal("8.50"), per_day=Decimal("2.25"), per_kg=Decimal("0.42"))


def transit_days(origin: Address, destination: Address) -> int:
    """Return working days between two addresses: by region, by distance of postal areas, by border."""
    if origin.country != destination.country:
        both = {origin.country, destination.country}
        return NEIGHBOUR_DAYS if both <= _NORTH_AMERICA or both <= _EUROPE else OVERSEAS_DAYS
    if origin.region is not None and origin.region == destination.region:
        return SAME_REGION_DAYS
    return min(MAX_DOMESTIC_DAYS, DOMESTIC_DAYS + _postal_distance(origin.postal_code, destination.postal_code) // 2)


def estimate_freight(days: int, weight_kg: Decimal, tariff: FreightTariff = DEFAULT_TARIFF) -> Money:
    """Return the estimated freight of a shipment."""
    amount = tariff.fixed + tariff.per_day * days + tariff.per_kg * weight_kg
    return round_to_minor(amount, tariff.currency)


def _postal_distance(origin: str, destination: str) -> int:
    """Return how many postal areas lie between, by the first digit; areas that are not numbered count as neighbours."""
    first, second = origin[:1], destination[:1]
    return abs(int(first) - int(second)) if first.isdecimal() and second.isdecimal() else 1
