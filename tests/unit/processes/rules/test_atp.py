"""Rule 6.2: what can be promised, from where, when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules import atp
from processes.rules.calendar import delivery_date, first_ship_date
from processes.rules.supply import FirmDemand, promises
from processes.rules.transit import estimate_freight, transit_days
from schema.enums import AvailabilityDecision, SupplyKind
from schema.records.inventory import Availability
from schema.records.problems import ValidationFailed
from schema.records.values import Quantity
from tests.support.rule_records import FRESH, NOW, TODAY, address, inbound, item, money, qty, ship_to, stock, warehouse

D = Decimal
NEAR, FAR = warehouse("W01"), warehouse("W02", postal_code="94105", region="CA")
MONDAY = date(2026, 3, 9)


def ask(quantity: Quantity, **given: Any) -> Any:
    arguments = {
        "item": item(),
        "positions": (),
        "soft": {},
        "inbound": (),
        "demand": (),
        "warehouses": (NEAR, FAR),
        "ship_to": ship_to(),
        "now": NOW,
        "needed_by": None,
        "freshness": FRESH,
        **given,
    }
    return atp.evaluate("PMP-0042", quantity, **arguments)


def lines(found: Availability) -> list[tuple[str, str, str, date]]:
    return [
        (entry.warehouse_code, entry.kind.value, str(entry.quantity.value), entry.ship_date) for entry in found.promise
    ]


def test_stock_that_covers_the_quantity_ships_today():
    found = ask(qty(24), positions=[stock("30")])
    assert (found.decision, found.available_now, found.full_date) == (
        AvailabilityDecision.FULL,
        qty(30),
        date(2026, 3, 5),
    )
    assert lines(found) == [("W01", "ON_HAND", "24", TODAY)]


def test_part_now_and_the_rest_with_the_next_delivery():
    found = ask(qty(24), positions=[stock("18")], inbound=[inbound("50", date(2026, 3, 6))])
    assert found.decision is AvailabilityDecision.PARTIAL
    assert found.available_now == qty(18)
    assert lines(found) == [("W01", "ON_HAND", "18", TODAY), ("W01", "INBOUND_PO", "6", MONDAY)]
    assert found.full_date == date(2026, 3, 10)


def test_nothing_now_and_all_of_it_later():
    found = ask(qty(24), inbound=[inbound("50", date(2026, 3, 6))])
    assert (found.decision, lines(found)) == (AvailabilityDecision.LATER, [("W01", "INBOUND_PO", "24", MONDAY)])


def test_nothing_at_all():
    found = ask(qty(24))
    assert (found.decision, found.promise, found.full_date) == (AvailabilityDecision.UNAVAILABLE, (), None)


@pytest.mark.parametrize(
    ("position", "free"),
    [
        pytest.param(stock("10"), "10", id="what lies there"),
        pytest.param(stock("10", allocated="4"), "6", id="less what is allocated"),
        pytest.param(stock("10", blocked="3"), "7", id="less what is blocked"),
        pytest.param(stock("10", safety="2"), "8", id="less the safety stock"),
        pytest.param(stock("10", allocated="12"), "0", id="never less than nothing"),
    ],
)
def test_what_is_free_now(position: Any, free: str):
    assert atp.free_now(position, D(0)) == D(free)
    assert ask(qty(1), positions=[position]).available_now == qty(free)


def test_soft_reservations_are_not_free():
    assert atp.free_now(stock("10"), D(4)) == 6
    assert ask(qty(1), positions=[stock("10")], soft={("PMP-0042", "W01"): D(4)}).available_now == qty(6)


def test_a_priority_customer_reaches_into_the_safety_stock():
    assert ask(qty(10), positions=[stock("10", safety="5")], priority=True).decision is AvailabilityDecision.FULL
    assert ask(qty(10), positions=[stock("10", safety="5")]).decision is AvailabilityDecision.PARTIAL


@pytest.mark.parametrize(
    "supply",
    [
        pytest.param(inbound("50", date(2026, 3, 6), confirmed=False), id="unconfirmed"),
        pytest.param(inbound("50", date(2026, 3, 3)), id="overdue"),
        pytest.param(inbound("50", date(2026, 3, 6), sku="OTHER"), id="of another item"),
        pytest.param(inbound("50", date(2026, 3, 6), "W09"), id="to a place that does not ship"),
        pytest.param(inbound("50", date(2028, 3, 6)), id="years away"),
    ],
)
def test_supply_that_does_not_count(supply: Any):
    assert ask(qty(24), inbound=[supply]).decision is AvailabilityDecision.UNAVAILABLE


def test_supply_of_today_is_not_overdue_when_nothing_leaves_today_any_more():
    late = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
    found = ask(qty(24), inbound=[inbound("50", date(2026, 3, 4))], now=late)
    assert found.decision is AvailabilityDecision.LATER


def test_a_closed_warehouse_promises_nothing():
    closed = ask(qty(1), positions=[stock("10")], warehouses=[warehouse(status="CLOSED")])
    assert closed.decision is AvailabilityDecision.UNAVAILABLE


def test_a_later_firm_order_keeps_its_stock():
    firm = FirmDemand("PMP-0042", "W01", D(8), date(2026, 3, 20))
    assert ask(qty(10), positions=[stock("10")], demand=[firm]).available_now == qty(2)


def test_supply_between_now_and_the_firm_order_frees_the_stock_again():
    firm = FirmDemand("PMP-0042", "W01", D(8), date(2026, 3, 20))
    found = ask(qty(10), positions=[stock("10")], demand=[firm], inbound=[inbound("8", date(2026, 3, 6))])
    assert found.available_now == qty(10)


def test_a_warehouse_that_owes_more_than_it_has_pays_its_debt_first():
    found = ask(qty(10), positions=[stock("10", allocated="15")], inbound=[inbound("8", date(2026, 3, 6))])
    assert lines(found) == [("W01", "INBOUND_PO", "3", MONDAY)]


def test_one_warehouse_that_has_it_all_is_preferred_to_two():
    found = ask(qty(20), positions=[stock("15", "W01"), stock("20", "W02")])
    assert lines(found) == [("W02", "ON_HAND", "20", TODAY)]


def test_the_nearest_of_those_that_have_it_all():
    found = ask(qty(20), positions=[stock("20", "W01"), stock("20", "W02")])
    assert [entry.warehouse_code for entry in found.promise] == ["W01"]


def test_two_warehouses_together_when_none_has_it_all():
    found = ask(qty(20), positions=[stock("15", "W01"), stock("15", "W02")])
    assert (found.decision, lines(found)) == (
        AvailabilityDecision.FULL,
        [("W01", "ON_HAND", "15", TODAY), ("W02", "ON_HAND", "5", TODAY)],
    )


@pytest.mark.parametrize(
    ("needed_by", "decision"),
    [
        pytest.param(date(2026, 3, 10), "FULL", id="the day on which all is delivered"),
        pytest.param(MONDAY, "PARTIAL", id="a day earlier only the stock is there"),
        pytest.param(TODAY, "LATER", id="today nothing arrives any more"),
    ],
)
def test_in_time_means_delivered_by_the_day(needed_by: date, decision: str):
    found = ask(qty(24), positions=[stock("18")], inbound=[inbound("50", date(2026, 3, 6))], needed_by=needed_by)
    assert found.decision is AvailabilityDecision(decision)


def test_without_a_place_delivery_stays_open_and_the_ship_date_counts():
    found = ask(qty(1), positions=[stock("5")], ship_to=None, needed_by=TODAY)
    assert (found.decision, found.full_date, found.promise[0].delivery_date) == (AvailabilityDecision.FULL, TODAY, None)


def test_packages_are_promised_whole():
    found = ask(qty(3, "XBX"), positions=[stock("16")], inbound=[inbound("3", date(2026, 3, 6))])
    assert (found.available_now, lines(found)) == (
        qty(2, "XBX"),
        [("W01", "ON_HAND", "2", TODAY), ("W01", "INBOUND_PO", "1", MONDAY)],
    )


def test_an_unknown_unit_is_told():
    assert isinstance(ask(qty(1, "DZN")), ValidationFailed)


def test_transfers_are_told_from_purchases():
    found = ask(qty(5), inbound=[inbound("5", date(2026, 3, 6), kind=SupplyKind.TRANSFER)])
    assert found.promise[0].kind is SupplyKind.TRANSFER


# --- Days ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "day"),
    [
        pytest.param(datetime(2026, 3, 4, 20, 59, tzinfo=UTC), TODAY, id="a minute before the cut-off, local time"),
        pytest.param(datetime(2026, 3, 4, 21, 0, tzinfo=UTC), date(2026, 3, 5), id="at the cut-off it is tomorrow"),
        pytest.param(datetime(2026, 3, 6, 22, 0, tzinfo=UTC), MONDAY, id="after Friday's cut-off it is Monday"),
        pytest.param(datetime(2026, 3, 7, 12, 0, tzinfo=UTC), MONDAY, id="a Saturday waits for Monday"),
        pytest.param(
            datetime(2026, 3, 5, 3, 0, tzinfo=UTC), date(2026, 3, 5), id="past midnight UTC it is still yesterday there"
        ),
    ],
)
def test_the_day_on_which_goods_leave(now: datetime, day: date):
    assert first_ship_date(NEAR, now) == day


@pytest.mark.parametrize(
    ("ship", "transit", "days", "delivered"),
    [
        pytest.param(TODAY, 1, (), date(2026, 3, 5), id="the next day"),
        pytest.param(TODAY, 3, (), MONDAY, id="a weekend is not on the way"),
        pytest.param(TODAY, 1, ("MON", "TUE"), MONDAY, id="the next day on which the place receives"),
        pytest.param(TODAY, 1, ("SAT",), date(2026, 3, 7), id="a place that receives on Saturdays"),
        pytest.param(TODAY, 1, ("NEVER",), date(2026, 3, 5), id="an unknown day means every working day"),
    ],
)
def test_the_day_of_delivery(ship: date, transit: int, days: tuple[str, ...], delivered: date):
    assert delivery_date(ship, transit, days) == delivered


@pytest.mark.parametrize(
    ("place", "days"),
    [
        pytest.param(address("77001", "TX"), 1, id="in the region"),
        pytest.param(address("70112", "LA"), 2, id="next to it"),
        pytest.param(address("02108", "MA"), 5, id="across the country"),
        pytest.param(address("M5V", "ON", "CA"), 5, id="over the border"),
        pytest.param(address("10115", None, "DE"), 8, id="overseas"),
    ],
)
def test_days_on_the_way(place: Any, days: int):
    assert transit_days(address("77002", "TX"), place) == days


def test_postal_codes_that_are_no_numbers_count_as_neighbours():
    assert transit_days(address("EC1A", "LND", "GB"), address("M1", "MAN", "GB")) == 2
    assert transit_days(address("EC1A", "LND", "GB"), address("90210", "MAN", "GB")) == 2


def test_freight_grows_with_way_and_weight():
    assert estimate_freight(2, D(10)) == money("17.20")
    assert estimate_freight(3, D(10)).amount > estimate_freight(2, D(10)).amount
    assert estimate_freight(2, D(11)).amount > estimate_freight(2, D(10)).amount


# --- Properties ----------------------------------------------------------------------------------------------------

small = st.integers(0, 40)
days = st.integers(0, 30).map(lambda count: TODAY + timedelta(days=count))
codes = st.sampled_from(["W01", "W02"])
positions = st.tuples(small, small, small).map(
    lambda found: [stock(D(found[0]), "W01", allocated=D(found[1])), stock(D(found[2]), "W02")]
)
supplies = st.lists(st.builds(lambda amount, day, code: inbound(D(amount), day, code), small, days, codes), max_size=5)
demands = st.lists(
    st.builds(lambda amount, day, code: FirmDemand("PMP-0042", code, D(amount), day), small, days, codes), max_size=5
)


@given(positions, supplies, demands, st.integers(1, 120), st.none() | days)
def test_no_more_is_promised_than_there_is_supply(held: Any, coming: Any, firm: Any, wanted: int, needed_by: Any):
    found = ask(qty(wanted), positions=held, inbound=coming, demand=firm, needed_by=needed_by)
    for code in ("W01", "W02"):
        promised = sum(entry.quantity.value for entry in found.promise if entry.warehouse_code == code)
        usable = sum(max(D(0), entry.on_hand) for entry in held if entry.warehouse_code == code)
        assert promised <= usable + sum(entry.quantity for entry in coming if entry.warehouse_code == code)
    total = sum(entry.quantity.value for entry in found.promise)
    assert total <= wanted
    assert (found.full_date is not None) == (total == wanted)


@given(positions, supplies, demands, st.integers(1, 120))
def test_a_promise_never_takes_from_later_firm_demand(held: Any, coming: Any, firm: Any, wanted: int):
    found = ask(qty(wanted), positions=held, inbound=coming, demand=firm, warehouses=[NEAR])
    taken = [FirmDemand("PMP-0042", "W01", entry.quantity.value, entry.ship_date) for entry in found.promise]
    before = _balances(held, coming, firm)
    after = _balances(held, coming, [*firm, *taken])
    # Where the firm orders alone were served, they still are; a day that was short before gets no shorter.
    assert all(left >= 0 or left == was for was, left in zip(before, after, strict=True))


def _balances(held: Any, coming: Any, firm: Any) -> list[Decimal]:
    """Supply less demand of W01 on each of the next days, reckoned without the code under test."""
    stock_now = sum((entry.on_hand - entry.allocated for entry in held if entry.warehouse_code == "W01"), D(0))
    found = []
    for count in range(45):
        day = TODAY + timedelta(days=count)
        arrived = sum(
            (entry.quantity for entry in coming if entry.warehouse_code == "W01" and _usable(entry) <= day), D(0)
        )
        gone = sum((entry.quantity for entry in firm if entry.warehouse_code == "W01" and entry.on <= day), D(0))
        found.append(stock_now + arrived - gone)
    return found


def _usable(supply: Any) -> date:
    day = max(supply.eta + timedelta(days=supply.dock_days), TODAY + timedelta(days=1))
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day


@given(st.dictionaries(days, st.integers(-40, 40).map(D), min_size=1, max_size=8))
def test_promises_never_fall_with_time(changes: dict[date, Decimal]):
    amounts = [promise for _, promise in promises(changes)]
    assert amounts == sorted(amounts)
    assert all(amount >= 0 for amount in amounts)
