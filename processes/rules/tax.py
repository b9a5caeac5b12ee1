"""Tax of a sale and the totals of an order (rules 6.1.6 and 6.4).

The place of delivery gives the jurisdiction. A line is free of tax when the customer holds an unexpired exemption for
that jurisdiction, or when a verified business in another country of the union accounts for it itself (reverse
charge); else the jurisdiction's rate for the item's tax category holds. The ERP's invoice is the authority; this is
what credit and quotes reckon with before there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from schema.records.accounts import ShipTo, TaxRegistration
from schema.records.catalog import Item
from schema.records.currencies import round_to_minor
from schema.records.values import Money

__all__ = [
    "DEFAULT_RATES",
    "UNION",
    "OrderTotals",
    "TaxDecision",
    "TaxRates",
    "TaxReason",
    "TaxedLine",
    "determine",
    "totals",
]

CERTIFICATE_WARNING = timedelta(days=30)
"""An exemption that ends sooner is worth a word to the customer."""

UNION = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
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
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)
"""Countries of the European Union."""
_NO_TAX = Decimal(0)
_HUNDRED = Decimal(100)


class TaxReason(StrEnum):
    """Why a rate is what it is."""

    RATE = "RATE"
    EXEMPT_CUSTOMER = "EXEMPT_CUSTOMER"
    REVERSE_CHARGE = "REVERSE_CHARGE"
    NO_TAX = "NO_TAX"


@dataclass(frozen=True, slots=True)
class TaxRates:
    """Rates in percent by jurisdiction: ``US-TX``, or ``DE`` where a country has one rate.

    Attributes:
        standard: rate by jurisdiction; the region is looked up before its country, neither means no tax.
        category_percent: part of the standard rate that a tax category pays, in percent; unknown ones pay all of it.
    """

    standard: Mapping[str, Decimal]
    category_percent: Mapping[str, Decimal] = field(default_factory=dict)


def _rates(text: str) -> dict[str, Decimal]:
    return {place: Decimal(rate) for place, rate in (entry.split("=") for entry in text.split())}


DEFAULT_RATES = TaxRates(
    standard=_rates(
        "US-CA=7.25 US-TX=6.25 US-NY=4 US-FL=6 US-IL=6.25 US-OH=5.75 US-PA=6 US-GA=4 US-NJ=6.625 US-WA=6.5 US-CO=2.9 "
        "US-AZ=5.6 US-NC=4.75 US-MI=6 US-MN=6.875 US-MO=4.225 US-TN=7 US-WI=5 US-IN=7 US-MA=6.25 US-VA=5.3 "
        "CA=5 CA-ON=13 CA-NS=14 CA-NB=15 CA-NL=15 CA-PE=15 MX=16 "
        "DE=19 FR=20 NL=21 BE=21 ES=21 IT=22 AT=20 PL=23 IE=23 SE=25 DK=25 FI=25.5 PT=23 CZ=21"
    ),
    category_percent={"EXEMPT": Decimal(0), "ZERO": Decimal(0)},
)
"""State, provincial and national base rates without local ones; a deployment hands in its own."""


@dataclass(frozen=True, slots=True)
class TaxDecision:
    """The rate of a line. ``certificate_ends`` is set when the exemption that was used ends within 30 days."""

    jurisdiction: str
    rate_percent: Decimal
    reason: TaxReason
    certificate_ends: date | None = None


@dataclass(frozen=True, slots=True)
class TaxedLine:
    """What a line costs, already rounded, and its tax rate."""

    extended: Money
    rate_percent: Decimal


@dataclass(frozen=True, slots=True)
class OrderTotals:
    """Totals of an order; ``total`` is the sum of the others."""

    subtotal: Money
    surcharges: Money
    tax: Money
    freight: Money
    total: Money


def determine(
    ship_to: ShipTo,
    item: Item,
    registrations: Sequence[TaxRegistration],
    on: date,
    *,
    seller_country: str = "US",
    rates: TaxRates = DEFAULT_RATES,
) -> TaxDecision:
    """Return jurisdiction and rate of an item delivered to a place.

    Args:
        ship_to: where it goes.
        item: carries the tax category.
        registrations: tax ids and exemptions of the customer.
        on: invoice date, which exemptions must reach.
        seller_country: where it is sold from; decides what is cross-border.
        rates: rates by jurisdiction and category.
    """
    place = ship_to.address
    jurisdiction = ship_to.tax_jurisdiction or (f"{place.country}-{place.region}" if place.region else place.country)
    exemption = _exemption(registrations, jurisdiction, on)
    if exemption is not None:
        ends = exemption.certificate_expires
        soon = ends if ends is not None and ends <= on + CERTIFICATE_WARNING else None
        return TaxDecision(jurisdiction, _NO_TAX, TaxReason.EXEMPT_CUSTOMER, soon)
    if _is_reverse_charge(registrations, place.country, seller_country):
        return TaxDecision(jurisdiction, _NO_TAX, TaxReason.REVERSE_CHARGE)
    standard = rates.standard.get(jurisdiction, rates.standard.get(jurisdiction.split("-")[0], _NO_TAX))
    rate = standard * rates.category_percent.get(item.tax_category, _HUNDRED) / _HUNDRED
    return TaxDecision(jurisdiction, rate, TaxReason.RATE if rate > 0 else TaxReason.NO_TAX)


def totals(
    lines: Sequence[TaxedLine], currency: str, *, freight: Decimal = _NO_TAX, surcharges: Sequence[Decimal] = ()
) -> OrderTotals:
    """Return an order's totals; every line's tax is rounded on its own, so that the sums never lose a cent.

    Args:
        lines: lines in the order's currency.
        currency: currency of the order.
        freight: freight charged.
        surcharges: hazardous goods, small order, fuel; each rounded, none taxed.
    """
    subtotal = sum((line.extended.amount for line in lines), _NO_TAX)
    extra = sum((round_to_minor(amount, currency).amount for amount in surcharges), _NO_TAX)
    taxes = (round_to_minor(line.extended.amount * line.rate_percent / _HUNDRED, currency) for line in lines)
    tax = sum((amount.amount for amount in taxes), _NO_TAX)
    shipping = round_to_minor(freight, currency).amount
    return OrderTotals(
        subtotal=round_to_minor(subtotal, currency),
        surcharges=round_to_minor(extra, currency),
        tax=round_to_minor(tax, currency),
        freight=round_to_minor(shipping, currency),
        total=round_to_minor(subtotal + extra + tax + shipping, currency),
    )


def _exemption(registrations: Sequence[TaxRegistration], jurisdiction: str, on: date) -> TaxRegistration | None:
    """Return the exemption that lasts longest of those for the jurisdiction, None without one."""
    valid = [
        entry
        for entry in registrations
        if entry.exempt
        and entry.jurisdiction == jurisdiction
        and (entry.certificate_expires is None or entry.certificate_expires >= on)
    ]
    return max(valid, key=lambda entry: (entry.certificate_expires or date.max, entry.number), default=None)


def _is_reverse_charge(registrations: Sequence[TaxRegistration], country: str, seller_country: str) -> bool:
    cross_border = country != seller_country and {country, seller_country} <= UNION
    return cross_border and any(
        entry.verified_at is not None and not entry.exempt and entry.jurisdiction.split("-")[0] == country
        for entry in registrations
    )
