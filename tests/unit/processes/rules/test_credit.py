"""Rule 6.3: whether a customer may owe this much more."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.rules.credit import CreditRelease, GroupExposure, check, exposure, is_stale, release_covers
from schema.records.problems import CreditHold
from tests.support.rule_records import NOW, credit, money, terms

RATES = {("EUR", "USD"): Decimal("1.1")}


def ask(order: str = "1000", **given: Any) -> CreditHold | None:
    arguments = {
        "terms": terms(profile=credit(**given.pop("profile", {})), tolerance=given.pop("tolerance", 0)),
        "order_total": money(order, given.pop("currency", "USD")),
        "open_orders": money("0"),
        "pending": (),
        "now": NOW,
        "fx": lambda base, quote: RATES.get((base, quote)),
        **given,
    }
    return check(arguments.pop("terms"), **arguments)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        pytest.param({"order": "10000"}, None, id="up to the limit"),
        pytest.param({"order": "10000.01"}, "would owe 10000.01 USD", id="a cent beyond the limit"),
        pytest.param({"order": "10500", "tolerance": 5}, None, id="within the tolerance"),
        pytest.param({"order": "10500.01", "tolerance": 5}, "would owe", id="a cent beyond the tolerance"),
        pytest.param({"profile": {"receivables": "9000.01"}}, "would owe", id="receivables count"),
        pytest.param({"open_orders": money("9000.01")}, "would owe", id="open orders count"),
        pytest.param({"pending": (money("5000"), money("4000.01"))}, "would owe", id="other submissions count"),
        pytest.param({"order": "9090.91", "currency": "EUR"}, None, id="other currencies are converted"),
        pytest.param({"order": "9090.92", "currency": "EUR"}, "would owe", id="and count converted"),
        pytest.param({"profile": {"days": 15}}, None, id="fifteen days late are let pass"),
        pytest.param({"profile": {"days": 16}}, "16 days past due", id="sixteen are not"),
        pytest.param({"profile": {"overdue": "1000"}}, None, id="a little overdue is let pass"),
        pytest.param({"profile": {"overdue": "1000.01"}}, "1000.01 USD overdue", id="much overdue is not"),
        pytest.param({"profile": {"on_hold": True}}, "credit hold (disputed invoice)", id="a customer on hold"),
        pytest.param({"profile": {"limit": None}}, "pays in advance", id="without a limit nothing is owed"),
        pytest.param({"terms": terms(blocked="All")}, "blocked (All)", id="a customer whom the ERP blocks"),
    ],
)
def test_who_may_order_on_account(case: dict[str, Any], said: str | None):
    found = ask(**case)
    assert (found is not None) is (said is not None)
    if found is not None and said is not None:
        assert found.code == "CREDIT_HOLD"
        assert said in found.message


def test_a_hold_carries_the_figures():
    found = ask("10000.01", profile={"receivables": "1", "days": 3})
    assert found is not None
    assert (found.exposure, found.limit, found.days_past_due) == (money("10001.01"), money("10000"), 3)


@pytest.mark.parametrize(
    ("case", "is_held"),
    [
        pytest.param({"profile": {"as_of": NOW - timedelta(hours=4)}, "order": "5000"}, False, id="four hours old"),
        pytest.param(
            {"profile": {"as_of": NOW - timedelta(hours=5)}, "order": "5000"}, True, id="older, a large order"
        ),
        pytest.param(
            {"profile": {"as_of": NOW - timedelta(hours=5)}, "order": "1000"}, False, id="older, a small order"
        ),
        pytest.param({"open_orders": None, "order": "5000"}, True, id="nobody knows what is on order"),
        pytest.param({"open_orders": None, "order": "1000"}, False, id="nobody knows, a small order"),
        pytest.param({"order": "5000", "currency": "MXN"}, True, id="no exchange rate"),
    ],
)
def test_large_orders_wait_for_figures_that_can_be_trusted(case: dict[str, Any], is_held: bool):
    found = ask(**case)
    assert (found is not None) is is_held
    if found is not None:
        assert (found.code, found.retryable) == ("CREDIT_UNVERIFIED", True)


def test_the_group_is_checked_after_the_child():
    parent = GroupExposure(terms(account="acc_p", profile=credit(limit="12000", receivables="4000")), (money("3000"),))
    assert ask("5000", parent=parent) is None
    held = ask("5000.01", parent=parent)
    assert held is not None
    assert (held.limit, held.exposure) == (money("12000"), money("12000.01"))


def test_what_the_child_owes_counts_for_the_group():
    parent = GroupExposure(terms(account="acc_p", profile=credit(limit="6000")), ())
    assert ask("5000", parent=parent, profile={"receivables": "1000"}) is None
    assert ask("5000", parent=parent, profile={"receivables": "1000.01"}) is not None


def test_exposure_without_a_rate_is_unknown():
    assert exposure(terms(), [money("1", "MXN")]) is None
    assert exposure(terms(), [money("1", "USD")]) == money("1.00")


@pytest.mark.parametrize(
    ("total", "hours", "covers"),
    [
        pytest.param("10000", 71, True, id="within cap and time"),
        pytest.param("10000", 72, False, id="three days later it is over"),
        pytest.param("11000", 1, True, id="grown by a tenth"),
        pytest.param("11000.01", 1, False, id="grown by more"),
    ],
)
def test_a_release_holds_for_a_while_and_for_about_that_order(total: str, hours: int, covers: bool):
    release = CreditRelease(money("12000"), money("10000"), NOW)
    assert release_covers(release, money(total), NOW + timedelta(hours=hours)) is covers


def test_a_release_never_covers_more_than_its_cap_or_another_currency():
    release = CreditRelease(money("10000"), money("10000"), NOW)
    assert release_covers(release, money("10000"), NOW)
    assert not release_covers(release, money("10000.01"), NOW)
    assert not release_covers(release, money("1", "EUR"), NOW)


def test_figures_older_than_a_quarter_of_an_hour_are_stale():
    assert not is_stale(terms(), NOW + timedelta(minutes=15))
    assert is_stale(terms(), NOW + timedelta(minutes=16))
