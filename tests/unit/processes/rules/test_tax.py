"""Rule 6.4 and the totals of 6.1.6."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules.tax import TaxDecision, TaxedLine, TaxReason, determine, totals
from schema.records.accounts import TaxRegistration
from schema.records.currencies import minor_digits, round_to_minor
from tests.support.rule_records import NOW, TODAY, item, money, ship_to


def registration(
    jurisdiction: str, *, exempt: bool = False, expires: date | None = None, verified: bool = False
) -> Any:
    return TaxRegistration("VAT", "1", jurisdiction, exempt, expires, NOW if verified else None)


@pytest.mark.parametrize(
    ("place", "category", "jurisdiction", "rate", "reason"),
    [
        pytest.param(ship_to(), "STANDARD", "US-TX", "6.25", "RATE", id="a state"),
        pytest.param(ship_to(jurisdiction="US-CA"), "STANDARD", "US-CA", "7.25", "RATE", id="a named jurisdiction"),
        pytest.param(ship_to(region="OR"), "STANDARD", "US-OR", "0", "NO_TAX", id="a state without sales tax"),
        pytest.param(ship_to(region="BC", country="CA"), "STANDARD", "CA-BC", "5", "RATE", id="the country's own rate"),
        pytest.param(ship_to(region=None, country="DE"), "STANDARD", "DE", "19", "RATE", id="a country with one rate"),
        pytest.param(ship_to(), "EXEMPT", "US-TX", "0", "NO_TAX", id="an item that is not taxed"),
        pytest.param(ship_to(), "SOMETHING", "US-TX", "6.25", "RATE", id="an unknown category pays in full"),
    ],
)
def test_place_and_item_give_the_rate(place: Any, category: str, jurisdiction: str, rate: str, reason: str):
    found = determine(place, item(tax_category=category), (), TODAY)
    assert found == TaxDecision(jurisdiction, Decimal(rate), TaxReason(reason))


@pytest.mark.parametrize(
    ("found", "reason", "warned"),
    [
        pytest.param(registration("US-TX", exempt=True), "EXEMPT_CUSTOMER", None, id="an exemption without end"),
        pytest.param(
            registration("US-TX", exempt=True, expires=date(2027, 1, 1)), "EXEMPT_CUSTOMER", None, id="one that lasts"
        ),
        pytest.param(
            registration("US-TX", exempt=True, expires=date(2026, 4, 3)),
            "EXEMPT_CUSTOMER",
            date(2026, 4, 3),
            id="one that ends within thirty days",
        ),
        pytest.param(
            registration("US-TX", exempt=True, expires=TODAY), "EXEMPT_CUSTOMER", TODAY, id="one that ends today"
        ),
        pytest.param(
            registration("US-TX", exempt=True, expires=date(2026, 3, 3)), "RATE", None, id="one that has ended"
        ),
        pytest.param(registration("US-CA", exempt=True), "RATE", None, id="one for another place"),
        pytest.param(registration("US-TX"), "RATE", None, id="a registration is no exemption"),
    ],
)
def test_exemptions(found: Any, reason: str, warned: date | None):
    decision = determine(ship_to(), item(), [found], TODAY)
    assert (decision.reason, decision.certificate_ends) == (TaxReason(reason), warned)


def test_of_two_exemptions_the_longer_one_is_used():
    soon = registration("US-TX", exempt=True, expires=date(2026, 3, 10))
    assert determine(ship_to(), item(), [soon, registration("US-TX", exempt=True)], TODAY).certificate_ends is None


@pytest.mark.parametrize(
    ("country", "seller", "found", "reason"),
    [
        pytest.param(
            "FR", "DE", registration("FR", verified=True), "REVERSE_CHARGE", id="a verified business over a border"
        ),
        pytest.param("FR", "DE", registration("FR"), "RATE", id="an id that nobody verified"),
        pytest.param("DE", "DE", registration("DE", verified=True), "RATE", id="within the country"),
        pytest.param("FR", "DE", registration("ES", verified=True), "RATE", id="an id of another country"),
        pytest.param("FR", "US", registration("FR", verified=True), "RATE", id="a seller outside the union"),
    ],
)
def test_reverse_charge(country: str, seller: str, found: Any, reason: str):
    place = ship_to(region=None, country=country)
    assert determine(place, item(), [found], TODAY, seller_country=seller).reason is TaxReason(reason)


def test_totals_in_their_fixed_order():
    found = totals(
        [TaxedLine(money("100.00"), Decimal("6.25")), TaxedLine(money("0.10"), Decimal("6.25"))],
        "USD",
        freight=Decimal("12.345"),
        surcharges=[Decimal("1.005"), Decimal(2)],
    )
    assert (found.subtotal, found.surcharges, found.tax, found.freight, found.total) == (
        money("100.10"),
        money("3.01"),
        money("6.26"),
        money("12.35"),
        money("121.72"),
    )


def test_the_tax_of_each_line_is_rounded_by_itself():
    found = totals([TaxedLine(money("0.10"), Decimal("6.25"))] * 3, "USD")
    assert (found.tax, found.total) == (money("0.03"), money("0.33"))


lines = st.lists(
    st.tuples(st.decimals("0", "99999", places=4), st.sampled_from(["0", "6.25", "19", "25.5"]).map(Decimal)),
    max_size=20,
)


@given(lines, st.decimals("0", "500", places=4), st.sampled_from(["USD", "JPY", "KWD"]))
def test_money_never_loses_a_cent(found: list[tuple[Decimal, Decimal]], freight: Decimal, currency: str):
    taxed = [TaxedLine(round_to_minor(amount, currency), rate) for amount, rate in found]
    sums = totals(taxed, currency, freight=freight)
    parts = (sums.subtotal, sums.surcharges, sums.tax, sums.freight)
    assert sum(part.amount for part in parts) == sums.total.amount
    assert sum(line.extended.amount for line in taxed) == sums.subtotal.amount
    by_line = [round_to_minor(line.extended.amount * line.rate_percent / 100, currency) for line in taxed]
    assert sum(tax.amount for tax in by_line) == sums.tax.amount
    for part in (*parts, sums.total):
        assert -int(part.amount.as_tuple().exponent) == minor_digits(currency)
