"""The key figures of the demo's past are those that its world has, counted in another way."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from crossdock.demo.history import history_of
from events.projections.facts import Fact, FactKind, Key
from events.projections.figures import FIGURES, measure
from events.projections.fold import apply
from events.projections.gauges import Point
from events.projections.period import Period
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel, WorldOrder
from schema.enums import KpiName
from schema.events.envelope import StoredEvent

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
BEGIN, END = date(2025, 6, 1), date(2026, 2, 28)
Figures = Callable[..., dict[str, Point]]
K = KpiName


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture(scope="module")
def figures(world: WorldModel) -> Figures:
    facts: dict[Key, Fact] = {}
    for position, event in enumerate(history_of(world).events, 1):
        apply(facts, StoredEvent(event, position, position, NOW))

    def figure(name: KpiName, group_by: str | None = None) -> dict[str, Point]:
        kinds: tuple[FactKind, ...] = FIGURES[name].kinds
        wanted = [fact for (kind, _), fact in facts.items() if kind in kinds]
        return {point.bucket: point for point in measure(name, Period(BEGIN, END, NOW), group_by, wanted)}

    return figure


def within(at: datetime | date | None) -> bool:
    day = at.date() if isinstance(at, datetime) else at
    return day is not None and BEGIN <= day <= END


def arrivals(world: WorldModel, order: WorldOrder) -> list[datetime]:
    return [s.delivered_at for s in world.shipments if s.order_id == order.id and s.delivered_at]


def completed(world: WorldModel) -> Iterator[WorldOrder]:
    return (order for order in world.orders if within(order.completed_at))


def test_cycle_times_are_the_median_of_last_deliveries(world: WorldModel, figures: Figures):
    hours: dict[str, list[float]] = {}
    for order in world.orders:
        ends = arrivals(world, order)
        if order.completed_at and ends and within(max(ends)):
            hours.setdefault(order.channel, []).append((max(ends) - order.submitted_at).total_seconds() / 3600)
    found = figures(K.ORDER_CYCLE_TIME, "channel")
    assert {name: point.denominator for name, point in found.items()} == {
        name: Decimal(len(times)) for name, times in hours.items()
    }
    for name, times in hours.items():
        assert float(found[name].value) == pytest.approx(statistics.median(times), abs=0.001)
    assert 48 < float(figures(K.ORDER_CYCLE_TIME)["ALL"].value) < 120


def test_touches_are_releases_of_holds_and_decisions_about_returns(world: WorldModel, figures: Figures):
    approved = {back.order_id for back in world.returns if back.status in ("RECEIVED", "CREDITED")}
    touched = {
        order.id
        for order in world.orders
        if order.id in approved
        or (order.accepted_at and order.accepted_at - order.submitted_at > timedelta(minutes=15))
    }
    orders = [order.id for order in completed(world)]
    point = figures(K.TOUCHLESS_RATE)["ALL"]
    assert (point.numerator, point.denominator) == (
        len([entry for entry in orders if entry not in touched]),
        len(orders),
    )
    assert 85 < point.value < 99


def test_lines_are_on_time_when_their_shipment_was(world: WorldModel, figures: Figures):
    in_time = total = 0
    for order in world.orders:
        if order.status == "CANCELLED" or not within(order.requested_date):
            continue
        shipments = [entry for entry in world.shipments if entry.order_id == order.id]
        for line in order.lines:
            total += 1
            mine = [entry for entry in shipments if line.line_no in {carried.line_no for carried in entry.lines}]
            is_there = bool(mine) and all(entry.delivered_at is not None for entry in mine)
            by_day = is_there and max(e.delivered_at for e in mine if e.delivered_at).date() <= order.requested_date
            in_time += by_day and line.backordered == 0
    point = figures(K.OTIF)["ALL"]
    assert (point.numerator, point.denominator) == (in_time, total)
    assert 50 < point.value < 100


def test_defects_are_wrong_items_that_came_back(world: WorldModel, figures: Figures):
    wrong = {back.order_id for back in world.returns if any(line.reason == "WRONG_ITEM" for line in back.lines)}
    received = [order.id for order in world.orders if within(order.submitted_at)]
    point = figures(K.ORDER_DEFECT_RATE)["ALL"]
    assert (point.numerator, point.denominator) == (len(wrong.intersection(received)), len(received))
    assert point.numerator


def test_perfect_orders_are_no_more_than_each_of_their_factors(figures: Figures):
    perfect, factors = figures(K.PERFECT_ORDER)["ALL"], figures(K.PERFECT_ORDER, "factor")
    assert set(factors) == {"on_time", "in_full", "undamaged", "invoice_matched"}
    assert all(perfect.value <= point.value for point in factors.values())
    assert factors["invoice_matched"].value == 100
    assert 95 < factors["undamaged"].value < 100


def test_promises_of_the_past_were_requested_dates(world: WorldModel, figures: Figures):
    orders = [
        order for order in world.orders if within(order.promised_date) and order.status not in ("CANCELLED", "ON_HOLD")
    ]
    kept = 0
    for order in orders:
        going = [entry for entry in world.shipments if entry.order_id == order.id]
        carried = {line.line_no for entry in going for line in entry.lines}
        there = [entry.delivered_at for entry in going if entry.delivered_at]
        is_whole = len(there) == len(going) and {line.line_no for line in order.lines} <= carried
        on_day = is_whole and order.promised_date is not None and max(there).date() <= order.promised_date
        kept += on_day and not any(line.backordered for line in order.lines)
    point = figures(K.PROMISE_ACCURACY)["ALL"]
    assert (point.numerator, point.denominator) == (kept, len(orders))


def test_quotes_convert_as_in_the_world(world: WorldModel, figures: Figures):
    sent = [
        quote
        for quote in world.quotes
        if quote.status in ("SENT", "EXPIRED", "DECLINED", "CONVERTED")
        and within(quote.created_at + timedelta(minutes=12))
    ]
    point = figures(K.QUOTE_CONVERSION)["ALL"]
    assert (point.numerator, point.denominator) == (len([q for q in sent if q.status == "CONVERTED"]), len(sent))
    created = {quote.id: quote.created_at for quote in world.quotes}
    hours = [
        (order.accepted_at - created[order.quote_id]).total_seconds() / 3600
        for order in world.orders
        if order.quote_id and order.accepted_at and within(order.accepted_at)
    ]
    assert float(figures(K.QUOTE_TO_ORDER_TIME)["ALL"].value) == pytest.approx(statistics.median(hours), abs=0.001)


def test_answers_take_less_business_time_than_time(world: WorldModel, figures: Figures):
    waits = [case.first_response_at - case.opened_at for case in world.cases if case.first_response_at]
    point = figures(K.SERVICE_RESPONSE_TIME, "queue")["SERVICE"]
    assert timedelta(hours=float(point.value)) <= max(waits)
    asked = [case for case in world.cases if within(case.opened_at) and case.first_response_at]
    assert point.denominator == len(asked)


def test_incidents_are_the_long_outages(world: WorldModel, figures: Figures):
    point = figures(K.INTEGRATION_INCIDENTS)["ALL"]
    assert point.numerator == 4
    assert 0 < point.value < 10


def test_most_orders_were_decided_within_seconds_and_almost_all_within_minutes(world: WorldModel, figures: Figures):
    waits = [
        (order.accepted_at - order.submitted_at if order.accepted_at else timedelta(seconds=1))
        for order in world.orders
        if within(order.submitted_at)
    ]
    quick = [wait for wait in waits if wait <= timedelta(seconds=2.5) or wait > timedelta(minutes=15)]  # held at once
    found = figures(K.SLO_COMPLIANCE, "workflow")
    assert found["ORDER_DECISION"].numerator == len(quick)
    assert found["ORDER_DECISION"].value > 94
    assert found["ORDER_DECIDED"].value == 100


def test_buckets_of_time_add_up_to_the_whole(figures: Figures):
    for name in (K.TOUCHLESS_RATE, K.OTIF, K.QUOTE_CONVERSION, K.MANUAL_TOUCHES):
        whole = figures(name)["ALL"]
        for group in ("day", "week", "month"):
            found = figures(name, group)
            assert sum(point.denominator or 0 for point in found.values()) == whole.denominator
            assert all(before < after for before, after in pairwise(found))
