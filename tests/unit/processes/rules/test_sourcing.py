"""From which warehouse an order's lines come."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules.sourcing import RouteLine, Routing, Supply, options, route
from processes.rules.supply import FirmDemand
from schema.records.problems import Stockout, ValidationFailed
from tests.support.rule_records import NOW, TODAY, address, inbound, item, qty, ship_to, stock, warehouse

D = Decimal
NEAR, FAR = warehouse("W01"), warehouse("W02", postal_code="94105", region="CA")
PUMP, VALVE = item("PMP-0042"), item("VLV-0007", substitutes=("VLV-0008",))


def line(number: int, what: Any, quantity: Any, requested: date | None = None) -> RouteLine:
    return RouteLine(number, what, quantity if not isinstance(quantity, int) else qty(quantity), requested)


def ask(*lines: RouteLine, **given: Any) -> Routing:
    order = {key: given.pop(key) for key in ("ship_complete", "allow_backorder") if key in given}
    supply = Supply(given.pop("positions"), given.pop("soft", {}), given.pop("warehouses", (NEAR, FAR)), **given)
    return route(lines, supply, ship_to=ship_to(), now=NOW, **order)


def sources(found: Routing) -> dict[int, list[tuple[str, Decimal]]]:
    return {
        entry.line_no: [(part.warehouse_code, part.quantity.value) for part in entry.allocations]
        for entry in found.lines
    }


def test_one_warehouse_that_has_everything_gives_everything():
    positions = [stock(9, "W01"), stock(9, "W02"), stock(9, "W02", sku="VLV-0007"), stock(1, "W01", sku="VLV-0007")]
    found = ask(line(1, PUMP, 5), line(2, VALVE, 5), positions=positions)
    assert sources(found) == {1: [("W02", D(5))], 2: [("W02", D(5))]}


def test_the_nearest_of_those_that_have_everything():
    assert sources(ask(line(1, PUMP, 5), positions=[stock(9, "W02"), stock(9, "W01")])) == {1: [("W01", D(5))]}


def test_each_line_comes_whole_where_no_warehouse_has_everything():
    positions = [stock(9, "W01"), stock(3, "W01", sku="VLV-0007"), stock(9, "W02", sku="VLV-0007")]
    found = ask(line(1, PUMP, 5), line(2, VALVE, 5), positions=positions)
    assert sources(found) == {1: [("W01", D(5))], 2: [("W02", D(5))]}


def test_a_line_is_split_by_rank_when_nobody_has_it_whole():
    found = ask(line(1, PUMP, 10), positions=[stock(4, "W02"), stock(7, "W01")])
    assert sources(found) == {1: [("W01", D(7)), ("W02", D(3))]}


def test_a_warehouse_that_has_exactly_the_line_gives_it_whole():
    positions = [stock(4, "W01"), stock(10, "W02"), stock(1, "W01", sku="VLV-0007")]
    found = ask(line(1, PUMP, 10), line(2, VALVE, 1), positions=positions)
    assert sources(found) == {1: [("W02", D(10))], 2: [("W01", D(1))]}


def test_what_is_missing_is_backordered_with_its_date():
    found = ask(line(1, PUMP, 10), positions=[stock(6)], inbound=[inbound(50, date(2026, 3, 6))])
    (routed,) = found.lines
    assert (routed.backordered, routed.backorder_date) == (D(4), date(2026, 3, 9))
    assert (found.problems, found.waits) == ((), False)


def test_a_second_line_waits_behind_the_first():
    supply = [inbound(4, date(2026, 3, 6)), inbound(4, date(2026, 3, 13), reference="PO-2")]
    found = ask(line(1, PUMP, 4), line(2, PUMP, 4), positions=[], inbound=supply)
    assert [entry.backorder_date for entry in found.lines] == [date(2026, 3, 9), date(2026, 3, 16)]


def test_nobody_knows_when_the_rest_comes():
    assert ask(line(1, PUMP, 10), positions=[stock(6)]).lines[0].backorder_date is None


def test_without_backorders_a_short_line_is_a_stockout_with_ways_out():
    found = ask(
        line(1, PUMP, 5),
        line(2, VALVE, 5),
        positions=[stock(9), stock(2, sku="VLV-0007")],
        inbound=[inbound(9, date(2026, 3, 6), sku="VLV-0007")],
        allow_backorder=False,
    )
    (problem,) = found.problems
    assert isinstance(problem, Stockout)
    assert (problem.line_no, problem.available, problem.next_available, problem.substitute_skus, problem.path) == (
        2,
        qty(2),
        date(2026, 3, 9),
        ("VLV-0008",),
        ("lines", "1"),
    )
    assert sources(found) == {1: [("W01", D(5))]}


def test_an_order_that_ships_complete_without_backorders_is_refused_as_a_whole():
    found = ask(line(1, PUMP, 5), line(2, VALVE, 5), positions=[stock(9)], allow_backorder=False, ship_complete=True)
    assert (found.lines, len(found.problems)) == ((), 1)


@pytest.mark.parametrize(("held", "waits"), [pytest.param(4, True, id="short"), pytest.param(5, False, id="enough")])
def test_an_order_that_ships_complete_waits_for_what_is_missing(held: int, waits: bool):
    assert ask(line(1, PUMP, 5), positions=[stock(held)], ship_complete=True).waits is waits


def test_the_same_item_twice_is_not_promised_twice():
    found = ask(line(1, PUMP, 4), line(2, PUMP, 4), positions=[stock(5)])
    assert [entry.backordered for entry in found.lines] == [D(0), D(3)]


def test_boxes_are_not_broken_over_two_warehouses():
    found = ask(line(1, PUMP, qty(3, "XBX")), positions=[stock(16, "W01"), stock(8, "W02")])
    assert sources(found) == {1: [("W01", D(2)), ("W02", D(1))]}
    assert [entry.quantity for entry in found.lines[0].reserve] == [D(12), D(6)]


def test_limits_say_how_much_a_position_may_hold_in_all():
    found = ask(line(1, PUMP, 4), positions=[stock(10, allocated=1, safety=2)], soft={("PMP-0042", "W01"): D(3)})
    (reserve,) = found.lines[0].reserve
    assert (reserve.quantity, reserve.limit, reserve.uom) == (D(4), D(7), "EA")


def test_limits_leave_alone_what_later_firm_orders_count_on():
    firm = FirmDemand("PMP-0042", "W01", D(6), date(2026, 3, 20))
    found = ask(line(1, PUMP, 4), positions=[stock(10)], demand=[firm])
    assert found.lines[0].reserve[0].limit == D(4)


def test_a_late_warehouse_comes_after_one_that_is_in_time():
    near = warehouse("W02", postal_code="70112", region="LA")
    far = warehouse("W01", postal_code="94105", region="CA")
    found = ask(
        line(1, PUMP, 5, date(2026, 3, 6)), positions=[stock(9, "W01"), stock(9, "W02")], warehouses=(far, near)
    )
    assert sources(found) == {1: [("W02", D(5))]}


def test_a_line_in_an_unknown_unit_is_reported_and_the_others_go_on():
    found = ask(line(1, PUMP, qty(1, "DZN")), line(2, PUMP, 1), positions=[stock(5)])
    assert [type(problem) for problem in found.problems] == [ValidationFailed]
    assert sources(found) == {2: [("W01", D(1))]}


def test_the_ship_date_is_the_warehouse_s():
    assert ask(line(1, PUMP, 1), positions=[stock(5)]).lines[0].allocations[0].ship_date == TODAY


def test_options_are_ranked_by_days_on_the_way():
    found = options([FAR, warehouse("W03", status="CLOSED"), NEAR], address())
    assert [(entry.warehouse_code, entry.rank, entry.transit_days) for entry in found] == [("W01", 1, 1), ("W02", 2, 3)]
    assert found[0].estimated_freight.amount < found[1].estimated_freight.amount


skus = st.sampled_from([PUMP, VALVE])
orders = st.lists(st.tuples(skus, st.integers(1, 30)), min_size=1, max_size=6)
holdings = st.lists(
    st.tuples(skus, st.sampled_from(["W01", "W02"]), st.integers(0, 30)),
    max_size=6,
    unique_by=lambda e: (e[0].sku, e[1]),
)


@given(orders, holdings, st.booleans())
def test_every_line_is_covered_once_and_no_position_twice(wanted: Any, held: Any, allow_backorder: bool):
    positions = [stock(amount, code, sku=what.sku) for what, code, amount in held]
    lines = [line(number, what, amount) for number, (what, amount) in enumerate(wanted, start=1)]
    found = ask(*lines, positions=positions, allow_backorder=allow_backorder)
    taken: dict[tuple[str, str], Decimal] = {}
    for entry in found.lines:
        assert sum(part.quantity for part in entry.reserve) + entry.backordered == wanted[entry.line_no - 1][1]
        for part in entry.reserve:
            taken[part.sku, part.warehouse_code] = taken.get((part.sku, part.warehouse_code), D(0)) + part.quantity
    for (sku, code), amount in taken.items():
        assert amount <= sum(entry.on_hand for entry in positions if (entry.sku, entry.warehouse_code) == (sku, code))
    assert len(found.lines) + len(found.problems) == len(lines)
